"""The openstack network API: routes, schemas, views, faults."""
