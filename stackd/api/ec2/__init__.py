"""The ec2 API: routes, schemas, views, faults."""
