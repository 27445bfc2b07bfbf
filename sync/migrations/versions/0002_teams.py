"""For teams: which server an environment is pinned to, and which machine holds the lease."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pins",
        sa.Column("environment", sa.String(100), primary_key=True),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("root_id", sa.String(100), nullable=False),
        sa.Column("pinned_at", sa.String(40), nullable=False),
        sa.Column("pinned_by", sa.String(400), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("shares", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
    )
    op.add_column("lease", sa.Column("machine", sa.String(100), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("lease", "machine")
    op.drop_table("pins")
