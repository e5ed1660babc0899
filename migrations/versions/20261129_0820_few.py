"""events of some types, found however many epochs lie between."""

import sqlalchemy as sa
from alembic import op

revision = "20261129_0820"
down_revision = "20261129_0715"
branch_labels = None
depends_on = None

_WHERE = sa.text("epoch IS NULL")


def upgrade() -> None:
    op.create_index("ix_events_few", "events", ["event_id", "type"], sqlite_where=_WHERE, postgresql_where=_WHERE)


def downgrade() -> None:
    op.drop_index("ix_events_few", table_name="events")
