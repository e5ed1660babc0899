"""How tuners stand: when the best score got better, when something was last heard, what of theirs is worth a look."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, and_, case, cast, func, literal, null, or_, select
from sqlalchemy.types import Double

from app.domain.states import SCORED, TRIAL_ENDS, RunStatus
from app.domain.values import Number
from app.store.tables import events, runs, trials, tuners


class Improvement(NamedTuple):
    """A trial that was better than all that had ended before it; `place` counts those, and itself."""

    tuner_id: UUID
    place: int
    trial_id: UUID
    number: int
    score: float


def list_improvements(connection: Connection, directions: Mapping[UUID, bool]) -> list[Improvement]:
    """By tuner, in the order in which they ended.

    Args:
        directions: of each tuner, whether a higher score is better.
    """
    if not directions:
        return []
    upward = [tuner_id for tuner_id, is_upward in directions.items() if is_upward]
    sign = case((trials.c.tuner_id.in_(upward), 1.0), else_=-1.0)
    # What has failed may have a score that is none, in SQLite as a text; the sign makes it a number to compare.
    value = case((trials.c.state.in_(SCORED), cast(trials.c.score, Double) * sign), else_=null())
    by_end = (trials.c.end_time, trials.c.number)
    ended = (
        select(
            trials.c.tuner_id,
            trials.c.trial_id,
            trials.c.number,
            trials.c.score,
            value.label("value"),
            func.row_number().over(partition_by=trials.c.tuner_id, order_by=by_end).label("place"),
            func.max(value).over(partition_by=trials.c.tuner_id, order_by=by_end, rows=(None, -1)).label("before"),
        )
        .where(trials.c.tuner_id.in_(directions), trials.c.state.in_(TRIAL_ENDS))
        .subquery()
    )
    query = (
        select(ended.c.tuner_id, ended.c.place, ended.c.trial_id, ended.c.number, ended.c.score)
        .where(or_(ended.c.value > ended.c.before, and_(ended.c.value.is_not(None), ended.c.before.is_(None))))
        .order_by(ended.c.tuner_id, ended.c.place)
    )
    return [Improvement(*row) for row in connection.execute(query)]


def list_scores(connection: Connection, tuner_ids: Collection[UUID]) -> dict[UUID, dict[int, dict[str, Number]]]:
    """What the trials of each of these tuners, by number, scored in several objectives; those without are left out."""
    if not tuner_ids:
        return {}
    query = select(trials.c.tuner_id, trials.c.number, trials.c.scores).where(
        trials.c.tuner_id.in_(tuner_ids), trials.c.state.in_(SCORED), trials.c.scores.is_not(None)
    )
    found: dict[UUID, dict[int, dict[str, Number]]] = {}
    for tuner_id, number, scores in connection.execute(query):
        found.setdefault(tuner_id, {})[number] = scores
    return found


def last_signs(connection: Connection, tuner_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """When each of these tuners, its trials or its runs last did something; those that never did are left out."""
    if not tuner_ids:
        return {}
    own = events.alias("own")  # the newest of each by a look into the index: of a long search there are millions
    newest = select(func.max(own.c.event_id)).where(own.c.tuner_id == tuners.c.tuner_id).correlate(tuners)
    is_newest = events.c.event_id == newest.scalar_subquery()
    query = select(tuners.c.tuner_id, events.c.timestamp).select_from(tuners).join(events, is_newest)
    query = query.where(tuners.c.tuner_id.in_(tuner_ids))
    return {row.tuner_id: row.timestamp for row in connection.execute(query)}


class CurveOwner(NamedTuple):
    """A run of a tuner, with what became of its trial."""

    run_id: UUID
    trial_id: UUID | None
    number: int | None
    status: RunStatus
    score: float | None


def pick_runs(
    connection: Connection, tuner_id: UUID, *, is_upward: bool, limit: int, best_numbers: Collection[int] = ()
) -> list[CurveOwner]:
    """The runs of a tuner that are worth a look, oldest first: those under way, the best few, and the newest.

    Args:
        best_numbers: the best trials, where no single score tells which they are.
    """
    score = case((trials.c.state.in_(SCORED), trials.c.score), else_=null())
    best_first = cast(score, Double) * literal(-1.0 if is_upward else 1.0)
    is_running = case((runs.c.status == RunStatus.running, 0), else_=1)
    owners = (
        select(runs.c.run_id, runs.c.trial_id, trials.c.number, runs.c.status, score)
        .outerjoin_from(runs, trials, runs.c.trial_id == trials.c.trial_id)
        .where(runs.c.tuner_id == tuner_id)
    )
    newest = (runs.c.start_time.desc(), runs.c.run_id.desc())
    best = owners.order_by(best_first.is_(None), best_first, *newest).limit(max(1, limit // 5))
    if best_numbers:
        best = owners.where(trials.c.number.in_(best_numbers)).order_by(*newest).limit(limit)
    latest = owners.order_by(is_running, *newest).limit(limit)
    found: dict[UUID, CurveOwner] = {}
    for query in (best, latest):
        for row in connection.execute(query):
            if len(found) < limit:
                found.setdefault(row.run_id, CurveOwner(row[0], row[1], row[2], RunStatus(row[3]), row[4]))
    return sorted(found.values(), key=lambda one: one.run_id)


def count_runs(connection: Connection, tuner_id: UUID) -> int:
    """How many runs a tuner has."""
    return connection.execute(select(func.count()).where(runs.c.tuner_id == tuner_id)).scalar_one()


def list_ended(connection: Connection, tuner_id: UUID) -> list[int]:
    """The numbers of a tuner's trials that have their outcome, in the order in which they got it."""
    query = (
        select(trials.c.number)
        .where(trials.c.tuner_id == tuner_id, trials.c.state.in_(TRIAL_ENDS))
        .order_by(trials.c.end_time, trials.c.number)
    )
    return list(connection.execute(query).scalars())


def pick_trials(
    connection: Connection, tuner_id: UUID, *, is_upward: bool, limit: int, best_numbers: Collection[int] = ()
) -> list[int]:
    """The numbers of the trials that are worth a look: those not over, the best, the newest; at most so many.

    Args:
        best_numbers: the best trials, where no single score tells which they are.
    """
    is_over = case((trials.c.state.in_(TRIAL_ENDS), 1), else_=0)
    value = case((trials.c.state.in_(SCORED), cast(trials.c.score, Double)), else_=null())
    best_first = value * literal(-1.0 if is_upward else 1.0)
    numbers = select(trials.c.number).where(trials.c.tuner_id == tuner_id)
    best = numbers.order_by(best_first.is_(None), best_first, trials.c.number).limit(limit // 2)
    latest = numbers.order_by(is_over, trials.c.number.desc()).limit(limit)
    found = dict.fromkeys(best_numbers or connection.execute(best).scalars())
    found |= dict.fromkeys(connection.execute(latest).scalars())
    return sorted(list(found)[:limit])


def runs_of(connection: Connection, trial_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The newest run of each of these trials that has one."""
    query = select(runs.c.trial_id, runs.c.run_id).where(runs.c.trial_id.in_(trial_ids))
    return {row.trial_id: row.run_id for row in connection.execute(query.order_by(runs.c.start_time, runs.c.run_id))}
