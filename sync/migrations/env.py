"""Alembic's entry point: runs the migrations on the connection that the ledger hands over."""

from __future__ import annotations

from alembic import context

from sync.ledger_schema import metadata


def run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


run()
