"""Which run the holder of the lease executes, so that a run that goes on is told from one that was killed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lease", sa.Column("run_id", sa.String(40), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("lease", "run_id")
