"""stackd: a private cloud of Twisted daemons with EC2 and OpenStack APIs over the same real machines."""
