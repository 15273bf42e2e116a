"""The openstack API: routes, schemas, views, faults."""
