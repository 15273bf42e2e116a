"""The openstack compute API: routes, schemas, views, faults."""
