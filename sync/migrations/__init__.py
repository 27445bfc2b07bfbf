"""The ledger's schema, step by step. Run from code by `sync.ledger`; needs no alembic.ini."""
