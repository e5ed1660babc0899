"""XGBoost, its hopeless runs ended early: `python examples/xgboost_early_stop.py [URL]`, of a service that runs."""

import sys

import xgboost
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from tunetrack_client import Client, float_range, int_range
from tunetrack_client.xgboost import TunetrackCallback

digits, labels = load_digits(return_X_y=True)
parts = train_test_split(digits, labels, test_size=0.25, random_state=0)
train, validation = xgboost.DMatrix(parts[0], parts[2]), xgboost.DMatrix(parts[1], parts[3])

tuner = Client(sys.argv[1] if len(sys.argv) > 1 else None).tuner(
    {"eta": float_range(0.001, 0.5, log=True), "max_depth": int_range(2, 6), "subsample": float_range(0.5, 1.0)},
    name="digits-xgboost",
    objective="validation-mlogloss",
    direction="minimize",
    max_trials=8,
    stopper={"type": "asha", "min_epochs": 3, "max_epochs": 27},
    seed=0,
)
for trial in tuner.trials():
    with trial.run() as run:
        xgboost.train(
            {"objective": "multi:softprob", "num_class": 10, "nthread": 1, **trial.params},
            train,
            num_boost_round=27,
            evals=[(validation, "validation")],
            verbose_eval=False,
            callbacks=[TunetrackCallback(run)],
        )
    print(f"trial {trial.number}: {run.stop.reason if run.stop else 'finished'}")

counts, best = tuner.fetch()["counts"], tuner.best
assert best is not None
print(
    f"{counts['completed']} completed, {counts['stopped']} stopped early; best: {best['params']}, {best['score']:.3f}"
)
