"""What must be true of the store whatever happened to the processes that wrote it.

An event for each change and a change for each event; summaries and counts equal to what they summarise;
a trial's state agrees with that of its runs.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from uuid import UUID

import orjson
from sqlalchemy import Connection

from app.domain.events import RunCrash, RunResume, RunStart, TrainingEnd, TrialEnd, TrialStart
from app.domain.goal import Objective
from app.domain.order import Place
from app.domain.states import RUN_ENDS, SCORED, RunStatus, TrialState
from app.domain.summary import MetricSummary, fold
from app.domain.values import INT64_MAX
from app.service.trial import has_ended
from app.store import events, leavings, search, sessions, trials, tuners
from app.store.events import EventFilter, StoredEvent
from app.store.runs import Run
from app.store.search import Search
from app.store.trials import Trial
from app.store.tuners import Tuner

_PAGE = 500


def find_violations(connection: Connection) -> Iterator[str]:
    """A sentence for each thing that is not as it must be; none, where all is well. All that is stored is looked at."""
    sessions.take_time(connection)
    place: Place | None = None
    while page := search.list_found(connection, Search(after=place), _PAGE):
        for one in page:
            yield from (f"run {one.run.run_id}: {what}" for what in _of_run(connection, one.run))
        place = page[-1].place
    after_tuner: tuners.Key | None = None
    while found := tuners.list_page(connection, after_tuner, _PAGE):
        for tuner in found:
            yield from (f"tuner {tuner.tuner_id}: {what}" for what in _of_tuner(connection, tuner))
        after_tuner = (found[-1].create_time, found[-1].tuner_id)
    yield from (
        f"event {event_id} tells of a run that does not exist" for event_id in leavings.list_orphans(connection)
    )


def _of_run(connection: Connection, run: Run) -> Iterator[str]:
    summary: dict[str, MetricSummary] = {}
    last_epoch: int | None = None
    for logged in events.iterate_logged(connection, run.run_id, 0, None):
        for epoch, metrics in zip(*logged, strict=True):
            for key in metrics.keys() & _keys_at(summary, epoch):
                yield f"the value of {key} at epoch {epoch} is stored twice"
            fold(summary, epoch, metrics)
            last_epoch = epoch
    if summary != run.summary:
        yield "its summary is not what its epochs fold to"
    if last_epoch != run.last_epoch:
        yield f"its last epoch is {last_epoch} and not {run.last_epoch}"
    yield from _of_start_and_end(run, events.list_told(connection, run.run_id))
    if run.trial_id is not None:
        trial = trials.find_many(connection, [run.trial_id]).get(run.trial_id)
        if trial is not None:
            yield from _of_run_and_trial(run, trial)


def _of_run_and_trial(run: Run, trial: Trial) -> Iterator[str]:
    if run.status in (RunStatus.finished, RunStatus.stopped) and not has_ended(trial):
        yield f"it has ended as {run.status}, and its trial is {trial.state}"
    holds = trial.run_id == run.run_id and trial.state is TrialState.running
    if (run.lease_s is not None) != (holds and run.status is RunStatus.running):
        yield f"it is {run.status} with a lease of {run.lease_s} s, and its trial is {trial.state}, run {trial.run_id}"
    if run.status is RunStatus.running and trial.run_id != run.run_id:
        yield f"it is running, and its trial belongs to run {trial.run_id}"


def _keys_at(summary: dict[str, MetricSummary], epoch: int) -> set[str]:
    """The metrics whose newest value is of this epoch; epochs come in order, so those are all that it has."""
    return {key for key, one in summary.items() if one.epoch_of_last == epoch}


def _of_start_and_end(run: Run, found: Sequence[StoredEvent]) -> Iterator[str]:
    told = Counter(event.type for event in found)
    if told[RunStart.type] != 1:
        yield f"{told[RunStart.type]} events tell of its start"
    if told[TrainingEnd.type] != (run.status in RUN_ENDS):
        yield f"it is {run.status}, and {told[TrainingEnd.type]} events tell of its end"
    is_given_up = run.status is RunStatus.crashed
    if run.status not in RUN_ENDS and told[RunCrash.type] - told[RunResume.type] != is_given_up:
        times = f"{told[RunCrash.type]} times, and came back {told[RunResume.type]} times"
        yield f"it is {run.status}, was given up {times}"
    for event in found:
        if event.type == TrainingEnd.type:
            said = orjson.loads(event.data)
            if (said["status"], said["final_metrics"]) != (run.status, run.final_metrics):
                yield "its end is not what its event tells"


def _of_tuner(connection: Connection, tuner: Tuner) -> Iterator[str]:
    of_tuner = trials.list_all(connection, tuner.tuner_id)
    if [trial.number for trial in of_tuner] != list(range(tuner.n_trials)):
        yield f"its {len(of_tuner)} trials are not numbered from 0 to {tuner.n_trials - 1}"
    counts = Counter(trial.state for trial in of_tuner)
    if any(counts[state] != tuner.counts[state] for state in TrialState):
        yield f"its trials are {dict(counts)}, and it counts {tuner.counts}"
    best = _best(tuner, of_tuner)
    if best != tuner.best_trial_id:
        yield f"its best trial is {best} and not {tuner.best_trial_id}"
    wanted = EventFilter(types=frozenset({TrialStart.type, TrialEnd.type}), tuner_ids=frozenset({tuner.tuner_id}))
    found = events.list_next(connection, 0, wanted, INT64_MAX)
    said = [(event.type, orjson.loads(event.data)) for event in found]
    starts = Counter(event["trial_id"] for kind, event in said if kind == TrialStart.type)
    ends = {event["trial_id"]: event["state"] for kind, event in said if kind == TrialEnd.type}
    n_ends = Counter(kind for kind, _ in said)[TrialEnd.type]
    if n_ends != len(ends):
        yield f"{n_ends} events tell of the ends of {len(ends)} trials"
    for trial in of_tuner:
        yield from (f"trial {trial.number} {what}" for what in _of_trial(tuner, trial, starts, ends))


def _of_trial(tuner: Tuner, trial: Trial, starts: Counter[str], ends: dict[str, str]) -> Iterator[str]:
    if trial.create_time < tuner.create_time:
        return  # it came with a snapshot: what happened to it before was told elsewhere
    trial_id = str(trial.trial_id)
    if starts[trial_id] != trial.attempt:
        yield f"was handed out {trial.attempt} times, and {starts[trial_id]} events tell of it"
    if (trial.lease_expires_at is not None) != (trial.state is TrialState.running):
        yield f"is {trial.state}, and its lease ends at {trial.lease_expires_at}"
    told = ends.get(trial_id)
    if told != (trial.state if has_ended(trial) else None):
        yield f"is {trial.state}, and the event of its end says {told}"


def _best(tuner: Tuner, of_tuner: Sequence[Trial]) -> UUID | None:
    objective = Objective.from_json(tuner.objectives[0])
    scored = [(objective.loss(t.score), t) for t in of_tuner if t.state in SCORED and t.score is not None]
    best = min((loss for loss, _ in scored), default=None)
    winners = {trial.trial_id for loss, trial in scored if loss == best}
    return tuner.best_trial_id if tuner.best_trial_id in winners else min(winners, default=None)
