"""What each side held when it was last read, so that one that shrank is noticed by every process."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "extents",
        sa.Column("environment", sa.String(100), primary_key=True),
        sa.Column("side", sa.String(20), primary_key=True),
        sa.Column("parent", sa.Text, nullable=False),
        sa.Column("seen_at", sa.String(40), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("extents")
