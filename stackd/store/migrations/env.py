"""What alembic runs around the migrations; ``store.schema`` hands it the connection it works on."""

from typing import Any, Literal

from alembic import context

from stackd.store.tables.base import Json
from stackd.store.tables.complete import complete_metadata


def render_item(kind: str, item: Any, context: Any) -> str | Literal[False]:
    """How a new migration writes our own types: as what the database keeps, so that it outlives our sources."""
    return "sa.Text()" if kind == "type" and isinstance(item, Json) else False


def run() -> None:
    """Migrate on the connection that the caller opened, inside the caller's transaction."""
    # Batch mode: sqlite cannot alter a column in place.
    context.configure(connection=context.config.attributes["connection"], target_metadata=complete_metadata(),
                      render_as_batch=True, compare_type=True, render_item=render_item)
    with context.begin_transaction():
        context.run_migrations()


run()
