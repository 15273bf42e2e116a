"""SQL: the only importer of SQLAlchemy. Tables, rows to records, queries and guarded updates per resource."""
