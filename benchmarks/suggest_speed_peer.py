"""What Optuna's samplers take for the same: `suggest_speed` runs this with an interpreter that has Optuna.

Reads a list of jobs from standard input, and writes for each the median of an ask and a tell, ms of processor time.
"""

import json
import statistics
import sys
import time
import warnings
from typing import Any

REPETITIONS = 7


def distribution_of(spec: dict[str, Any]) -> Any:
    """What Optuna calls such a parameter."""
    from optuna import distributions  # type: ignore[import-not-found, unused-ignore]

    if spec["type"] in ("choice", "flag"):
        return distributions.CategoricalDistribution(spec.get("options", [False, True]))
    kind = distributions.FloatDistribution if spec["type"] == "float_range" else distributions.IntDistribution
    step = {"step": spec["step"]} if "step" in spec else {}
    return kind(spec["min"], spec["max"], log=spec.get("log", False), **step)


def measure(sampler: str, space_json: dict[str, dict[str, Any]], trials: list[tuple[dict[str, Any], float]]) -> float:
    """Milliseconds a trial, after these."""
    import optuna  # type: ignore[import-not-found, unused-ignore]

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = {name: distribution_of(spec) for name, spec in space_json.items()}
    study = optuna.create_study(sampler=getattr(optuna.samplers, sampler)(seed=1))
    study.add_trials([optuna.trial.create_trial(params=p, distributions=space, value=loss) for p, loss in trials])
    times: list[float] = []
    for _ in range(REPETITIONS + 1):
        start = time.process_time()
        study.tell(study.ask(space), trials[0][1])
        times.append(time.process_time() - start)
    return 1000 * statistics.median(times[1:])  # the first one imports


def main() -> None:
    """Answer the jobs."""
    import optuna  # type: ignore[import-not-found, unused-ignore]

    warnings.simplefilter("ignore")
    found = [measure(*job) for job in json.load(sys.stdin)]
    print(json.dumps({"version": optuna.__version__, "ms": found}))


if __name__ == "__main__":
    main()
