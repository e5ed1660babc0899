"""what runs are searched by, and long histories in short."""

import sqlalchemy as sa
from alembic import op

from app.store import types

revision = "20261124_0750"
down_revision = "20261124_0745"
branch_labels = None
depends_on = None

_IS_READ_PLAINLY = {"sqlite_where": sa.text("indexed != 1"), "postgresql_where": sa.text("indexed != 1")}


def upgrade() -> None:
    op.add_column("runs", sa.Column("indexed", sa.SmallInteger(), server_default=sa.text("0"), nullable=False))
    op.create_index("ix_runs_indexed", "runs", ["indexed"], unique=False, **_IS_READ_PLAINLY)
    op.create_table(
        "facts",
        sa.Column("run_id", types.Id(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_facts_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "name", name=op.f("pk_facts")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_facts_name_value_run_id"), "facts", ["name", "value", "run_id"], unique=False)
    op.create_table(
        "curve_pieces",
        sa.Column("run_id", types.Id(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("stop", sa.BigInteger(), nullable=False),
        sa.Column("curves", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_curve_pieces_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "start", name=op.f("pk_curve_pieces")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("curve_pieces")
    op.drop_index(op.f("ix_facts_name_value_run_id"), table_name="facts")
    op.drop_table("facts")
    op.drop_index("ix_runs_indexed", table_name="runs", **_IS_READ_PLAINLY)
    with op.batch_alter_table("runs") as runs:
        runs.drop_column("indexed")
