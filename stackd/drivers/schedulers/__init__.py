"""Scheduler algorithms: ``chance``, ``simple``, ``zone`` and ``filter``, one file each."""
