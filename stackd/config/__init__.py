"""The configuration: one frozen class per section, TOML in, all errors at once."""
