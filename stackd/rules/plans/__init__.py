"""Plans: one table per resource, desired x observed -> the one next step."""
