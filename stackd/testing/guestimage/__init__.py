"""The demo guest image: a tiny Linux made of Debian packages, ``python -m stackd.testing.guestimage OUTDIR``."""
