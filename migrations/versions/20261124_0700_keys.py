"""API keys."""

import sqlalchemy as sa
from alembic import op

from app.store import types

revision = "20261124_0700"
down_revision = "20261124_0630"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("key_id", types.Id(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("create_time", types.Instant(), nullable=False),
        sa.Column("expire_time", types.Instant(), nullable=True),
        sa.Column("revoke_time", types.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_keys_digest")),
    )


def downgrade() -> None:
    op.drop_table("keys")
