"""A store filled directly, with what `tracking.py` asks for: as the service would have it some seconds later."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, Engine

from app.domain.events import EpochEnd
from app.domain.states import RunStatus
from app.domain.summary import MetricSummary
from app.service.condense import condense_runs
from app.store import facts, log, runs
from app.store.database import Database
from app.store.engines import parse
from app.store.log import Record
from app.store.runs import Run

_T0 = datetime(2026, 1, 1, tzinfo=UTC)
_AT_ONCE = 5000
LONG = UUID(int=1)
SHORT = UUID(int=2)
CURVES = [UUID(int=number) for number in range(3, 53)]


def make_runs(n: int) -> list[Run]:
    """Runs with six params and five metrics, ended."""
    drawn = random.Random(7)
    return [_make(number, drawn) for number in range(n)]


def _make(number: int, drawn: random.Random) -> Run:
    metrics = {name: drawn.random() for name in ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")}
    return Run(
        run_id=UUID(int=1 << 64 | number),
        tuner_id=None,
        trial_id=None,
        name=f"run {number}",
        params={
            "learning_rate": 10 ** drawn.uniform(-4, -1),
            "layers": drawn.randrange(1, 7),
            "dropout": drawn.random(),
            "optimizer": drawn.choice(["adam", "sgd"]),
            "nesterov": drawn.random() < 0.5,
            "batch_size": 2 ** drawn.randrange(4, 9),
        },
        tags=["rare"] if number % 100 == 0 else ["usual"],
        note="",
        status=RunStatus.finished,
        start_time=_T0 + timedelta(seconds=number),
        end_time=_T0 + timedelta(seconds=number + 60),
        last_epoch=9,
        summary={key: MetricSummary(value, 9, value, 9, value, 9, 10) for key, value in metrics.items()},
        final_metrics=None,
        stop=None,
        lease_s=None,
        stale_after_s=None,
        stale_at=None,
        body_digest=b"",
    )


def fill(engine: Engine, made: Sequence[Run]) -> None:
    """Store runs as the service would have them some seconds after they ended."""
    for begin in range(0, len(made), _AT_ONCE):
        some = made[begin : begin + _AT_ONCE]
        with engine.begin() as connection:
            runs.add(connection, some)
            facts.put(connection, some)
    analyze(engine)


def analyze(engine: Engine) -> None:
    """What PostgreSQL does by itself, some time later."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")


def log_curve(connection: Connection, run_id: UUID, epochs: range, names: Sequence[str]) -> None:
    """Epochs of a run, as logging them leaves them."""
    drawn = random.Random(epochs.start)
    log.append(
        connection,
        [Record(EpochEnd(run_id, epoch, {name: drawn.random() for name in names}), None, None) for epoch in epochs],
    )


def fill_curves(engine: Engine, n_long: int) -> None:
    """A long history, one of 1,000 epochs of five metrics, and fifty of 1,000 epochs of two."""
    wanted = [(LONG, n_long, ("loss",)), (SHORT, 1000, ("loss", "accuracy", "val_loss", "val_accuracy", "seconds"))]
    wanted += [(run_id, 1000, ("loss", "accuracy")) for run_id in CURVES]
    for run_id, n, names in wanted:
        run = _make(0, random.Random(7))
        run.run_id, run.last_epoch, run.tags = run_id, n - 1, []
        run.summary = {name: MetricSummary(0.5, n - 1, 0.0, 0, 1.0, 0, n) for name in names}
        with engine.begin() as connection:
            runs.add(connection, [run])
            facts.put(connection, [run])
        for begin in range(0, n, _AT_ONCE):
            with engine.begin() as connection:
                log_curve(connection, run_id, range(begin, min(n, begin + _AT_ONCE)), names)
    analyze(engine)


async def condense(url: str) -> None:
    """Write the pieces of all histories, as the service does while they are logged."""
    database = Database(parse(url))
    for run_id in (LONG, *CURVES):
        while await database.write(condense_runs, run_id):
            pass
    await database.close()
