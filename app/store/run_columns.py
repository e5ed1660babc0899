"""What the plain fields of a run are in SQL, where its row is at hand, and where only its id is."""

from typing import Any

from sqlalchemy import ColumnElement, Double, extract, literal, select

from app.domain.filters import MAPS, RUN_FIELDS, Kind
from app.store.filter_sql import Columns
from app.store.runs import LAST_EPOCH_TIME
from app.store.tables import runs


def columns_of_rows(dialect: str) -> Columns:
    """Of the row itself."""
    plain = [name for name, kind in RUN_FIELDS.items() if kind not in MAPS and kind is not Kind.tags]
    computed = {"duration_s": _duration_s(dialect), "last_epoch_time": LAST_EPOCH_TIME}
    return {name: computed[name] if name in computed else runs.c[name] for name in plain}


def columns_looked_up(dialect: str, run_id: ColumnElement[Any]) -> Columns:
    """Of the row of this run."""
    return {
        name: select(column).where(runs.c.run_id == run_id).correlate_except(runs).scalar_subquery()
        for name, column in columns_of_rows(dialect).items()
    }


def _duration_s(dialect: str) -> ColumnElement[Any]:
    if dialect == "postgresql":
        return extract("epoch", runs.c.end_time - runs.c.start_time).cast(Double)
    # The type is that of the times: without it, the difference would be read as one.
    microseconds = runs.c.end_time.cast(Double) - runs.c.start_time.cast(Double)
    return microseconds / literal(1e6, Double)
