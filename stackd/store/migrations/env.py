"""What alembic runs around the migrations; ``store.schema`` hands it the connection it works on."""

from alembic import context

from stackd.store.tables.complete import complete_metadata


def run() -> None:
    """Migrate on the connection that the caller opened, inside the caller's transaction."""
    # Batch mode: sqlite cannot alter a column in place.
    context.configure(connection=context.config.attributes["connection"], target_metadata=complete_metadata(),
                      render_as_batch=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


run()
