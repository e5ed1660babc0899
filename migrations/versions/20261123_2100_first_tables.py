"""first tables."""

import sqlalchemy as sa
from alembic import op

from app.store import types

revision = "20261123_2100"
down_revision = None
branch_labels = None
depends_on = None


def _where(condition: str) -> dict[str, sa.TextClause]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column(
            "event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False
        ),
        sa.Column("type", types.EventType(), nullable=False),
        sa.Column("timestamp", types.Instant(), nullable=False),
        sa.Column("run_id", types.Id(), nullable=True),
        sa.Column("tuner_id", types.Id(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_events_run_id_epoch"), "events", ["run_id", "epoch"], unique=False, **_where("epoch IS NOT NULL")
    )
    op.create_index(
        op.f("ix_events_run_id_event_id"),
        "events",
        ["run_id", "event_id"],
        unique=False,
        **_where("run_id IS NOT NULL"),
    )
    op.create_index(
        op.f("ix_events_tuner_id_event_id"),
        "events",
        ["tuner_id", "event_id"],
        unique=False,
        **_where("tuner_id IS NOT NULL"),
    )
    op.create_table(
        "idempotency",
        sa.Column("key_digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", types.Json(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("create_time", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key_digest", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_create_time"), "idempotency", ["create_time"], unique=False)
    op.create_table(
        "tags",
        sa.Column("owner_id", types.Id(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", "tag", name=op.f("pk_tags")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_tags_tag"), "tags", ["tag"], unique=False)
    op.create_table(
        "tuners",
        sa.Column("tuner_id", types.Id(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("space", types.Json(), nullable=False),
        sa.Column("objective", types.Json(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("options", types.Json(), nullable=False),
        sa.Column("budget", types.Json(), nullable=False),
        sa.Column("tags", types.Json(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("stop_reason", sa.Text(), nullable=True),
        sa.Column("n_trials", sa.Integer(), nullable=False),
        sa.Column("n_proposed", sa.Integer(), nullable=False),
        sa.Column("is_exhausted", sa.Boolean(), nullable=False),
        sa.Column("counts", types.Json(), nullable=False),
        sa.Column("best_trial_id", types.Id(), nullable=True),
        sa.Column("body_digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("create_time", types.Instant(), nullable=False),
        sa.Column("update_time", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("tuner_id", name=op.f("pk_tuners")),
    )
    op.create_index(op.f("ix_tuners_create_time_tuner_id"), "tuners", ["create_time", "tuner_id"], unique=False)
    op.create_table(
        "trials",
        sa.Column("trial_id", types.Id(), nullable=False),
        sa.Column("tuner_id", types.Id(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("params", types.Json(), nullable=False),
        sa.Column("params_digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("score", types.Score(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("why", types.Json(), nullable=False),
        sa.Column("create_time", types.Instant(), nullable=False),
        sa.Column("end_time", types.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["tuner_id"], ["tuners.tuner_id"], name=op.f("fk_trials_tuner_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("trial_id", name=op.f("pk_trials")),
        sa.UniqueConstraint("tuner_id", "number", name=op.f("uq_trials_tuner_id_number")),
    )
    op.create_index(op.f("ix_trials_tuner_id_params_digest"), "trials", ["tuner_id", "params_digest"], unique=False)
    op.create_index(op.f("ix_trials_tuner_id_state_number"), "trials", ["tuner_id", "state", "number"], unique=False)
    op.create_table(
        "runs",
        sa.Column("run_id", types.Id(), nullable=False),
        sa.Column("tuner_id", types.Id(), nullable=True),
        sa.Column("trial_id", types.Id(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("params", types.Json(), nullable=False),
        sa.Column("tags", types.Json(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("start_time", types.Instant(), nullable=False),
        sa.Column("end_time", types.Instant(), nullable=True),
        sa.Column("last_epoch", sa.BigInteger(), nullable=True),
        sa.Column("summary", types.Summary(), nullable=False),
        sa.Column("final_metrics", types.Json(), nullable=True),
        sa.Column("body_digest", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.trial_id"], name=op.f("fk_runs_trial_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["tuner_id"], ["tuners.tuner_id"], name=op.f("fk_runs_tuner_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_start_time_run_id"), "runs", ["start_time", "run_id"], unique=False)
    op.create_index(op.f("ix_runs_trial_id"), "runs", ["trial_id"], unique=False)
    op.create_index(op.f("ix_runs_tuner_id"), "runs", ["tuner_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_runs_tuner_id"), table_name="runs")
    op.drop_index(op.f("ix_runs_trial_id"), table_name="runs")
    op.drop_index(op.f("ix_runs_start_time_run_id"), table_name="runs")
    op.drop_table("runs")
    op.drop_index(op.f("ix_trials_tuner_id_state_number"), table_name="trials")
    op.drop_index(op.f("ix_trials_tuner_id_params_digest"), table_name="trials")
    op.drop_table("trials")
    op.drop_index(op.f("ix_tuners_create_time_tuner_id"), table_name="tuners")
    op.drop_table("tuners")
    op.drop_index(op.f("ix_tags_tag"), table_name="tags")
    op.drop_table("tags")
    op.drop_index(op.f("ix_idempotency_create_time"), table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_index(op.f("ix_events_tuner_id_event_id"), table_name="events", **_where("tuner_id IS NOT NULL"))
    op.drop_index(op.f("ix_events_run_id_event_id"), table_name="events", **_where("run_id IS NOT NULL"))
    op.drop_index(op.f("ix_events_run_id_epoch"), table_name="events", **_where("epoch IS NOT NULL"))
    op.drop_table("events")
