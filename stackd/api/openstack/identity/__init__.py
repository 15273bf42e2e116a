"""The openstack identity API: routes, schemas, views, faults."""
