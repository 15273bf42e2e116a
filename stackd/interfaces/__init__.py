"""Zope interfaces only: what the layers hand to each other. Drivers implement them; constructors are typed by them."""
