"""One search: 100 trials of one method on one instance of a task, by one worker or by several.

Workers are simulated: each trial takes a time that is drawn for its number, and a worker that is done asks at once.
`python -m benchmarks.search_quality.search` reads jobs from its standard input, a JSON list a line, and answers each
with a line: so one Python that has Optuna can serve another one that has not.
"""

import heapq
import json
import sys
import time
import warnings
from typing import NamedTuple

from app.domain.values import Params
from app.tuning.strategy import generator
from benchmarks.search_quality.methods import start
from benchmarks.search_quality.tasks import TASKS

N_TRIALS = 100


class Job(NamedTuple):
    """What to run."""

    method: str
    task: str
    seed: int
    n_workers: int


class Outcome(NamedTuple):
    """What came out of it.

    Args:
        regrets: shape (100,); after each ended trial the normalised regret.
        cpu_s: processor time of asking and telling.
    """

    regrets: list[float]
    cpu_s: float


class _Running(NamedTuple):
    """A trial under way, from one time to another."""

    end: float
    number: int
    begin: float
    params: Params
    losses: list[tuple[float, ...]]

    def heard(self, now: float) -> list[tuple[float, ...]]:
        """The losses of the epochs that are done by now."""
        return self.losses[: int(len(self.losses) * (now - self.begin) / (self.end - self.begin))]


def run(job: Job) -> Outcome:
    """The search from its first trial to its last."""
    problem = TASKS[job.task].instance(job.seed)
    method = start(job.method, problem.space, job.seed, problem.n_objectives)
    running: list[_Running] = []
    cpu_s, now = 0.0, 0.0
    n_asked = 0
    progress = problem.progress()
    regrets: list[float] = []
    while len(regrets) < N_TRIALS:
        while len(running) < job.n_workers and n_asked < N_TRIALS:
            begin = time.process_time()
            params = method.ask(n_asked, {one.number: one.heard(now) for one in running})
            cpu_s += time.process_time() - begin
            duration = 0.5 + generator(job.seed, 2**41 + n_asked).random()
            losses = problem.told(params, job.seed, n_asked)
            heapq.heappush(running, _Running(now + duration, n_asked, now, params, losses))
            n_asked += 1
        now, number, _, params, losses = heapq.heappop(running)
        begin = time.process_time()
        method.tell(number, losses)
        cpu_s += time.process_time() - begin
        regrets.append(progress.regret_after(params, losses[-1]))
    return Outcome(regrets, cpu_s)


def main() -> None:
    """Serve until the input ends."""
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(Job(*json.loads(line)))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
