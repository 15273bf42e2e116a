"""The openstack image API: routes, schemas, views, faults."""
