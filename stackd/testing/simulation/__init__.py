"""A large cloud on one machine: production daemons, a real broker and database, and fake hosts by the thousand."""
