"""The scheduler: owner of instances that need a host. Ranks by the algorithm, claims in SQL. Any number may run."""
