"""The metadata API: routes, schemas, views, faults."""
