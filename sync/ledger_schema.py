"""The ledger's tables, as `migrations` makes them: entries with the head of their chain, runs, the
lease, and which server an environment is pinned to."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    insert,
    select,
    update,
)

metadata = MetaData()

entries = Table(
    "entries",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("run_id", String(40)),
    Column("kind", String(30), nullable=False),
    Column("at", String(40), nullable=False),
    Column("operator", String(400), nullable=False),
    Column("payload", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
Index("entries_of_run", entries.c.environment, entries.c.run_id, entries.c.seq)

heads = Table(
    "heads",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(40), primary_key=True),
    Column("environment", String(100), nullable=False),
    Column("operator", String(400), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("total", Integer, nullable=False),
    Column("started_at", String(40), nullable=False),
    Column("ended_at", String(40)),
    Column("state", String(20), nullable=False),
    Column("counts", Text, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("token", String(40), nullable=False),
    Column("owner", String(400), nullable=False),
    Column("host", String(300), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process", String(100), nullable=False),
    Column("since", String(40), nullable=False),
    Column("heartbeat", String(40), nullable=False),
    Column("machine", String(100), nullable=False, server_default=""),
    Column("run_id", String(40), nullable=False, server_default=""),
)

extents = Table(
    "extents",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("side", String(20), primary_key=True),
    Column("parent", Text, nullable=False),
    Column("seen_at", String(40), nullable=False),
    Column("content", Text, nullable=False),
)

pins = Table(
    "pins",
    metadata,
    Column("environment", String(100), primary_key=True),
    Column("endpoint", Text, nullable=False),
    Column("root_id", String(100), nullable=False),
    Column("pinned_at", String(40), nullable=False),
    Column("pinned_by", String(400), nullable=False),
    Column("reason", Text, nullable=False),
    Column("shares", Text, nullable=False),
    Column("seq", Integer, nullable=False),
)

HEAD_ALONE = (
    select(heads.c.seq, heads.c.hash).where(heads.c.environment == bindparam("environment")).with_for_update()
)
ADD = insert(entries)
MOVE_HEAD = (
    update(heads)
    .where(heads.c.environment == bindparam("of"))
    .values(seq=bindparam("to_seq"), hash=bindparam("to_hash"))
)
"""What appends an entry. Built once: a run of thousands of actions writes three entries for each."""
