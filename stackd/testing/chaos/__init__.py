"""Chaos: clients use a cloud of many processes through both APIs while a monkey kills what it is made of."""
