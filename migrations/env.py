"""How Alembic runs here: on the connection that `app.store.migrate` (or a test) hands over, in its transaction."""

from alembic import context

from app.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, user_module_prefix="types."
)
context.run_migrations()
