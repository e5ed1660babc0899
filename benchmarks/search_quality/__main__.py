"""Runs the searches, and prints how much regret they leave.

Regret is normalised per task and seed: 0 is the optimum, 1 what the best of 25 random trials leaves on average. Of
several objectives it is what is missing of the hypervolume that the best compromises dominate. Tasks count equally.
Intervals hold 95% of the means over resampled seeds.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import numpy as np

from benchmarks.search_quality.methods import DEAF
from benchmarks.search_quality.peers import PEERS, PEERS_OF_SEVERAL
from benchmarks.search_quality.search import Job, Outcome
from benchmarks.search_quality.tasks import OF_EPOCHS, OF_SEVERAL, TASKS

AT = (25, 50, 100)
"""After how many trials."""

AT_OF_EPOCHS = (16, *AT)
N_RESAMPLES = 2000


def run_all(jobs: list[Job], python: str, n_processes: int, cache: Path | None) -> dict[Job, Outcome]:
    """Each job's outcome, from the cache or from a process that serves one job after the other.

    Args:
        python: an interpreter that has what the jobs' methods need.
        cache: a folder; its outcomes are believed, whatever code they are of.
    """
    waiting: Queue[Job] = Queue()
    outcomes: dict[Job, Outcome] = {}
    for job in jobs:
        path = _path(cache, job)
        if path is not None and path.exists():
            outcomes[job] = Outcome(*json.loads(path.read_text()))
        else:
            waiting.put(job)

    def serve() -> None:
        command = [python, "-m", "benchmarks.search_quality.search"]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as p:
            assert p.stdin is not None
            assert p.stdout is not None
            while not waiting.empty():
                job = waiting.get()
                p.stdin.write(json.dumps(job) + "\n")
                p.stdin.flush()
                line = p.stdout.readline()
                if not line:
                    raise RuntimeError(f"the process for {job} has ended")
                outcomes[job] = Outcome(*json.loads(line))
                path = _path(cache, job)
                if path is not None:
                    path.write_text(line)
                print(f"{job.method}, {job.task}, seed {job.seed}, {job.n_workers} workers", file=sys.stderr)

    # One thread a process: while a process computes, its thread waits.
    with ThreadPoolExecutor(n_processes) as pool:
        for done in [pool.submit(serve) for _ in range(min(n_processes, waiting.qsize()))]:
            done.result()
    return outcomes


def _path(cache: Path | None, job: Job) -> Path | None:
    if cache is None:
        return None
    cache.mkdir(parents=True, exist_ok=True)
    name = "--".join([job.method.replace(",", ""), job.task.replace(",", ""), str(job.seed), str(job.n_workers)])
    return cache / f"{name.replace(' ', '_')}.json"


def table(outcomes: dict[Job, Outcome], is_held_out: bool, at: Sequence[int]) -> None:
    """Print the regrets of the tasks that were held out, or of those that were not."""
    print(f"\n{'held out' if is_held_out else 'design'}, mean normalised regret (95% interval)\n")
    print(f"| method | workers | {' | '.join(map(str, at))} trials | task-seeds | CPU ms a trial |")
    print(f"|---|---|{'---|' * len(at)}---|---|")
    lines = sorted({(job.n_workers, job.method) for job in outcomes})
    for n_workers, method in lines:
        by_task: dict[str, list[list[float]]] = {}
        cpu: list[float] = []
        for job, outcome in outcomes.items():
            if (job.n_workers, job.method) == (n_workers, method) and TASKS[job.task].is_held_out == is_held_out:
                by_task.setdefault(job.task, []).append([outcome.regrets[n - 1] for n in at])
                cpu.append(10 * outcome.cpu_s)
        if not by_task:
            continue
        cells = [f"{mean:.3f} ({low:.3f} to {high:.3f})" for mean, low, high in _intervals(by_task)]
        print(f"| {method} | {n_workers} | {' | '.join(cells)} | {len(cpu)} | {np.mean(cpu):.1f} |")


def _intervals(by_task: dict[str, list[list[float]]]) -> list[tuple[float, float, float]]:
    """Mean over tasks of the mean over seeds, with a bootstrap interval, at each number of trials."""
    rng = np.random.default_rng(0)
    means = np.mean([np.mean(regrets, axis=0) for regrets in by_task.values()], axis=0)
    resampled = np.zeros((N_RESAMPLES, len(means)))
    for regrets in by_task.values():
        values = np.array(regrets)
        resampled += values[rng.integers(len(values), size=(N_RESAMPLES, len(values)))].mean(axis=1) / len(by_task)
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    return list(zip(means.tolist(), low.tolist(), high.tolist(), strict=True))


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategies", default="auto,random", help="ours, by name")
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter that has them, see the Makefile")
    parser.add_argument("--peer-names", help="which of them, separated by commas; otherwise Optuna's samplers")
    parser.add_argument("--held-out", action="store_true", help="only the tasks that were held out")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--epochs", action="store_true", help="tasks whose trials log epochs, and who hears of them")
    parser.add_argument("--several", action="store_true", help="tasks of several objectives")
    parser.add_argument("--cache", type=Path, help="a folder that keeps outcomes: a run that was ended goes on")
    options = parser.parse_args()
    of_kind = (
        OF_EPOCHS
        if options.epochs
        else OF_SEVERAL
        if options.several
        else TASKS.keys() - OF_EPOCHS.keys() - OF_SEVERAL.keys()
    )
    names = [name for name in TASKS if name in of_kind and (TASKS[name].is_held_out or not options.held_out)]
    tasks = [(name, seed) for seed in range(options.seeds) for name in names]
    ours = [name for name in options.strategies.split(",") if name]
    jobs = [Job(name, task, seed, n) for task, seed in tasks for name in ours for n in (1, 8)]
    if options.epochs:
        jobs += [Job(name + DEAF, task, seed, 8) for task, seed in tasks for name in ours]
    outcomes = run_all(jobs, sys.executable, options.processes, options.cache)
    if options.peers:
        workers = PEERS_OF_SEVERAL if options.several else PEERS
        peers = options.peer_names.split(",") if options.peer_names else [n for n in workers if n.startswith("optuna")]
        jobs = [Job(name, task, seed, n) for task, seed in tasks for name in peers for n in workers[name]]
        outcomes |= run_all(jobs, options.peers, options.processes, options.cache)
    for is_held_out in (True,) if options.held_out else (False, True):
        table(outcomes, is_held_out, AT_OF_EPOCHS if options.epochs else AT)


if __name__ == "__main__":
    main()
