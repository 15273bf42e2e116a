"""Pure functions from records to the members of AWS's shapes; they never fetch."""
