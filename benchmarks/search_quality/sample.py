"""Trains the models of the real tasks at random points, and writes their losses down.

`python -m benchmarks.search_quality.sample` takes about half an hour; its result is committed in `samples/`. The points
themselves need not be stored: they are the trials 0, 1, 2, ... of the strategy random with the seed 2026.
"""

import json
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from app.domain.space import Space
from app.domain.values import Params
from app.tuning.random import Random
from app.tuning.strategy import generator
from benchmarks.search_quality.trainings import TRAININGS, space_of

N_POINTS = 600
SEED = 2026
FOLDER = Path(__file__).parent / "samples"


def points(space: Space) -> Sequence[Params]:
    """The params of the sample."""
    draws = Random(space, {}).propose([], [], [generator(SEED, number) for number in range(N_POINTS)])
    return [draw.params for draw in draws]


def path_of(name: str) -> Path:
    """Where the losses of a training are."""
    return FOLDER / f"{name.replace(' ', '_')}.json"


def main() -> None:
    """Write those that are missing, or those named on the command line anew."""
    warnings.simplefilter("ignore")  # what badly chosen parameters do is what the sample is for
    wanted = sys.argv[1:]
    FOLDER.mkdir(exist_ok=True)
    for training in TRAININGS:
        path = path_of(training.name)
        if training.name in wanted or (not wanted and not path.exists()):
            start = time.monotonic()
            losses = [float(f"{training.loss(params):.6g}") for params in points(space_of(training))]
            path.write_text(json.dumps(losses, separators=(",", ":")) + "\n")
            print(f"{training.name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
