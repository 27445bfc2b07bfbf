"""The first schema: entries with their chain's head, runs, and the lease."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "entries",
        sa.Column("environment", sa.String(100), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("run_id", sa.String(40)),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("operator", sa.String(400), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("entries_of_run", "entries", ["environment", "run_id", "seq"])
    op.create_table(
        "heads",
        sa.Column("environment", sa.String(100), primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(40), primary_key=True),
        sa.Column("environment", sa.String(100), nullable=False),
        sa.Column("operator", sa.String(400), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("started_at", sa.String(40), nullable=False),
        sa.Column("ended_at", sa.String(40)),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("counts", sa.Text, nullable=False),
    )
    op.create_table(
        "lease",
        sa.Column("environment", sa.String(100), primary_key=True),
        sa.Column("token", sa.String(40), nullable=False),
        sa.Column("owner", sa.String(400), nullable=False),
        sa.Column("host", sa.String(300), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process", sa.String(100), nullable=False),
        sa.Column("since", sa.String(40), nullable=False),
        sa.Column("heartbeat", sa.String(40), nullable=False),
    )


def downgrade() -> None:
    for table in ("lease", "runs", "heads", "entries"):
        op.drop_table(table)
