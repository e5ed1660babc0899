"""runs that were running beside their trial: the newest belongs to it, the others have crashed."""

from alembic import op

revision = "20261124_0740"
down_revision = "20261124_0700"
branch_labels = None
depends_on = None

_RUN_CRASH = 7


def upgrade() -> None:
    newest = (
        "SELECT r.run_id FROM runs r WHERE r.trial_id = trials.trial_id AND r.status = 'running' "
        "ORDER BY r.start_time DESC, r.run_id DESC LIMIT 1"
    )
    op.execute(f"UPDATE trials SET run_id = ({newest}) WHERE run_id IS NULL AND state <> 'running'")
    is_postgres = op.get_context().dialect.name == "postgresql"
    now = "clock_timestamp()" if is_postgres else "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
    replaced = (
        "runs.status = 'running' AND EXISTS (SELECT 1 FROM trials WHERE trials.trial_id = runs.trial_id "
        "AND trials.run_id <> runs.run_id)"
    )
    body = "'{\"last_epoch\":' || COALESCE(CAST(last_epoch AS TEXT), 'null') || '}'"
    op.execute(
        "INSERT INTO events (type, timestamp, run_id, tuner_id, epoch, body) "
        f"SELECT {_RUN_CRASH}, {now}, run_id, tuner_id, NULL, {body} FROM runs WHERE {replaced} ORDER BY run_id"
    )
    op.execute(f"UPDATE runs SET status = 'crashed', lease_s = NULL, stale_at = NULL WHERE {replaced}")


def downgrade() -> None:
    """Nothing: which runs they were is not kept."""
