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
        regrets: shape (100,); after each ended trial the normalised regret of the one with the best score so far.
        best: the lowest loss without noise.
        cpu_s: processor time of asking and telling.
    """

    regrets: list[float]
    best: float
    cpu_s: float


def run(job: Job) -> Outcome:
    """The search from its first trial to its last."""
    problem = TASKS[job.task].instance(job.seed)
    method = start(job.method, problem.space, job.seed)
    running: list[tuple[float, int, Params]] = []
    cpu_s, now = 0.0, 0.0
    n_asked = 0
    lowest_told, lowest, incumbent = float("inf"), float("inf"), float("inf")
    regrets: list[float] = []
    while len(regrets) < N_TRIALS:
        begin = time.process_time()
        while len(running) < job.n_workers and n_asked < N_TRIALS:
            params = method.ask(n_asked)
            duration = 0.5 + generator(job.seed, 2**41 + n_asked).random()
            heapq.heappush(running, (now + duration, n_asked, params))
            n_asked += 1
        cpu_s += time.process_time() - begin
        now, number, params = heapq.heappop(running)
        loss = problem.loss(params)
        told = problem.told(loss, job.seed, number)
        begin = time.process_time()
        method.tell(number, told)
        cpu_s += time.process_time() - begin
        lowest = min(lowest, loss)
        if told < lowest_told:
            lowest_told, incumbent = told, loss
        regrets.append(max(incumbent - problem.optimum, 0.0) / problem.unit)
    return Outcome(regrets, lowest, cpu_s)


def main() -> None:
    """Serve until the input ends."""
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(Job(*json.loads(line)))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
