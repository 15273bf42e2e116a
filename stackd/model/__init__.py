"""Values: frozen records, enums and request records, one file per resource. No I/O, no decisions."""
