"""leases, stoppers, budgets, several objectives; runs that crash and are told to stop."""

import json

import sqlalchemy as sa
from alembic import op

from app.store import types

revision = "20261124_0630"
down_revision = "20261123_2100"
branch_labels = None
depends_on = None

_LEASE_S = 600.0
_PARTIAL_INDEXES = [("trials", "lease_expires_at"), ("runs", "stale_at"), ("tuners", "deadline")]


def upgrade() -> None:
    op.execute("ALTER TABLE tuners RENAME COLUMN objective TO objectives")
    op.execute("UPDATE tuners SET objectives = '[' || objectives || ']'")
    op.add_column("tuners", sa.Column("deadline", types.Instant(), nullable=True))
    op.add_column("tuners", sa.Column("stopper", types.Json(), nullable=False, server_default='{"type":"none"}'))
    op.add_column("tuners", sa.Column("lease_s", sa.Double(), nullable=False, server_default=str(_LEASE_S)))
    op.add_column("trials", sa.Column("scores", types.Json(), nullable=True))
    op.add_column("trials", sa.Column("lease_expires_at", types.Instant(), nullable=True))
    op.add_column("trials", sa.Column("run_id", types.Id(), nullable=True))
    op.add_column("runs", sa.Column("stop", types.Json(), nullable=True))
    op.add_column("runs", sa.Column("lease_s", sa.Double(), nullable=True))
    op.add_column("runs", sa.Column("stale_after_s", sa.Double(), nullable=True))
    op.add_column("runs", sa.Column("stale_at", types.Instant(), nullable=True))
    for table, column in _PARTIAL_INDEXES:
        where = sa.text(f"{column} IS NOT NULL")
        name = op.f(f"ix_{table}_{column}")
        op.create_index(name, table, [column], unique=False, sqlite_where=where, postgresql_where=where)
    _count_stale_trials()
    _lease_what_is_running()


def _count_stale_trials() -> None:
    connection = op.get_bind()
    tuners = sa.table("tuners", sa.column("tuner_id"), sa.column("counts"))
    for tuner_id, counts in connection.execute(sa.select(tuners.c.tuner_id, tuners.c.counts)).all():
        counted = json.dumps({**json.loads(counts), "stale": 0}, separators=(",", ":"))
        connection.execute(sa.update(tuners).where(tuners.c.tuner_id == tuner_id).values(counts=counted))


def _lease_what_is_running() -> None:
    """Trials that are out with workers get a lease from now on; the newest run of each speaks for it."""
    if op.get_context().dialect.name == "postgresql":
        lease_end = f"clock_timestamp() + interval '{_LEASE_S} seconds'"
    else:
        lease_end = f"CAST((julianday('now') - 2440587.5) * 86400000000 + {_LEASE_S} * 1000000 AS INTEGER)"
    newest = (
        "SELECT r.run_id FROM runs r WHERE r.trial_id = trials.trial_id AND r.status = 'running' "
        "ORDER BY r.start_time DESC, r.run_id DESC LIMIT 1"
    )
    op.execute(f"UPDATE trials SET lease_expires_at = {lease_end}, run_id = ({newest}) WHERE state = 'running'")
    op.execute(
        f"UPDATE runs SET lease_s = {_LEASE_S} WHERE status = 'running' "
        "AND EXISTS (SELECT 1 FROM trials WHERE trials.run_id = runs.run_id)"
    )


def downgrade() -> None:
    for table, column in _PARTIAL_INDEXES:
        op.drop_index(op.f(f"ix_{table}_{column}"), table_name=table)
    for table, columns in (
        ("runs", ["stop", "lease_s", "stale_after_s", "stale_at"]),
        ("trials", ["scores", "lease_expires_at", "run_id"]),
        ("tuners", ["deadline", "stopper", "lease_s"]),
    ):
        for column in columns:
            op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    op.execute("UPDATE tuners SET objectives = substr(objectives, 2, length(objectives) - 2)")
    op.execute("ALTER TABLE tuners RENAME COLUMN objectives TO objective")
