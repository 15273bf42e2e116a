"""A lab: several hosts on one machine, as network namespaces joined by a fabric."""
