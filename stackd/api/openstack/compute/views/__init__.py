"""Views of the compute API: pure functions and tables from records to what Nova shows, one module per resource."""
