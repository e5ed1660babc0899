"""what is told of a run besides its epochs, found however many these are."""

import sqlalchemy as sa
from alembic import op

revision = "20261129_0715"
down_revision = "20261124_0750"
branch_labels = None
depends_on = None

_WHERE = sa.text("run_id IS NOT NULL AND epoch IS NULL")


def upgrade() -> None:
    op.create_index("ix_events_told", "events", ["run_id", "event_id"], sqlite_where=_WHERE, postgresql_where=_WHERE)


def downgrade() -> None:
    op.drop_index("ix_events_told", table_name="events")
