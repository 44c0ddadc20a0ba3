"""Alembic runs this file. The connection comes from engine.upgrade, which holds the writers' lock around all of it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
