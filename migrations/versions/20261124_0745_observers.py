"""observers."""

import sqlalchemy as sa
from alembic import op

from app.store import types

revision = "20261124_0745"
down_revision = "20261124_0740"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "observers",
        sa.Column("observer_id", types.Id(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", types.Json(), nullable=False),
        sa.Column("tuner_id", types.Id(), nullable=True),
        sa.Column("run_id", types.Id(), nullable=True),
        sa.Column("tag", sa.Text(), nullable=True),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.Column("sealed_secrets", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("off_reason", sa.Text(), nullable=True),
        sa.Column("failing_since", types.Instant(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("create_time", types.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("observer_id", name=op.f("pk_observers")),
    )
    op.create_index(
        op.f("ix_observers_create_time_observer_id"), "observers", ["create_time", "observer_id"], unique=False
    )
    op.create_table(
        "deliveries",
        sa.Column("delivery_id", types.Id(), nullable=False),
        sa.Column("observer_id", types.Id(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("is_under_way", sa.Boolean(), nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("next_attempt_time", types.Instant(), nullable=True),
        sa.Column("create_time", types.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["observer_id"], ["observers.observer_id"], name=op.f("fk_deliveries_observer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_deliveries")),
    )
    op.create_index(
        op.f("ix_deliveries_observer_id_delivery_id"), "deliveries", ["observer_id", "delivery_id"], unique=False
    )
    pending = sa.text("state = 'pending'")
    op.create_index(
        op.f("ix_deliveries_observer_id_next_attempt_time"),
        "deliveries",
        ["observer_id", "next_attempt_time"],
        unique=False,
        sqlite_where=pending,
        postgresql_where=pending,
    )
    op.create_table(
        "plugins",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("holder", types.Id(), nullable=True),
        sa.Column("held_until", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_plugins")),
    )


def downgrade() -> None:
    op.drop_table("plugins")
    op.drop_table("deliveries")
    op.drop_table("observers")
