"""The schema's history, for alembic; a migration only adds in one release what the next may require."""
