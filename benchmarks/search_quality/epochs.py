"""Real trainings epoch by epoch: their losses on the way, for searches that hear of them.

`python -m benchmarks.search_quality.epochs` takes about half an hour; its result is committed in `courses/`.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from app.domain.space import Space
from app.domain.values import Params
from benchmarks.search_quality.problem import N_EPOCHS
from benchmarks.search_quality.sample import points
from benchmarks.search_quality.trainings import NETWORK, WORST, Json, one_of, rate, whole

N_POINTS = 400
N_PASSES, N_TREES = 3, 9
"""What an epoch is: so many passes over the data, or trees."""
FOLDER = Path(__file__).parent / "courses"


class Fold(NamedTuple):
    """Standardised data to learn from, and others to judge by."""

    x: Any
    y: Any
    x_judged: Any
    y_judged: Any


@dataclass(frozen=True)
class Gradual:
    """A model to tune that is trained little by little.

    Args:
        data: the loader's name in sklearn.datasets.
        train: the loss after each epoch.
    """

    name: str
    is_held_out: bool
    space: Json
    data: str
    train: Callable[[Params, Fold], list[float]]
    n_rows: int = 600

    @property
    def path(self) -> Path:
        """Where its losses are."""
        return FOLDER / f"{self.name.replace(' ', '_').replace(',', '')}.json"

    def course(self, params: Params) -> list[float]:
        """The mean losses of three folds, shape (N_EPOCHS,)."""
        courses = np.array([self.train(params, fold) for fold in _folds(self.data, self.n_rows)])
        limited = np.minimum(np.nan_to_num(courses.mean(axis=0), nan=WORST, posinf=WORST), WORST)
        return [float(f"{loss:.4g}") for loss in limited]


def _folds(data: str, n_rows: int) -> Iterator[Fold]:
    from sklearn import datasets
    from sklearn.model_selection import KFold, StratifiedKFold

    x, y = getattr(datasets, f"load_{data}")(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(x))[:n_rows]
    x, y = x[rows], y[rows]
    is_classes = data != "diabetes"
    for learnt, judged in (StratifiedKFold if is_classes else KFold)(3, shuffle=True, random_state=0).split(x, y):
        middle, unit = x[learnt].mean(axis=0), x[learnt].std(axis=0)
        unit[unit == 0] = 1.0
        mean, std = y[learnt].mean(), y[learnt].std()
        (x_learnt, y_learnt), (x_judged, y_judged) = (
            ((x[rows] - middle) / unit, y[rows] if is_classes else (y[rows] - mean) / std) for rows in (learnt, judged)
        )
        yield Fold(x_learnt, y_learnt, x_judged, y_judged)


def _passes(model: Any, fold: Fold, loss: Callable[[], float], **first: Any) -> list[float]:
    """Pass after pass; a model that breaks down has the worst loss from there on."""
    losses: list[float] = []
    for _ in range(N_EPOCHS):
        try:
            for _ in range(N_PASSES):
                model.partial_fit(fold.x, fold.y, **first)
            losses.append(loss())
        except ValueError:  # numbers too large for the model: training diverged
            losses.append(WORST)
    return losses


def _network(params: Params, fold: Fold) -> list[float]:
    from sklearn.metrics import log_loss, mean_squared_error
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    others = {name: value for name, value in params.items() if name not in ("width", "depth")}
    sizes = {"hidden_layer_sizes": [params["width"]] * int(params["depth"]), "random_state": 0}
    if fold.y.dtype.kind == "i":
        model = MLPClassifier(**sizes, **others)
        return _passes(
            model, fold, lambda: log_loss(fold.y_judged, model.predict_proba(fold.x_judged)), classes=np.unique(fold.y)
        )
    regressor = MLPRegressor(**sizes, **others)
    return _passes(regressor, fold, lambda: mean_squared_error(fold.y_judged, regressor.predict(fold.x_judged)))


def _linear(params: Params, fold: Fold) -> list[float]:
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier(learning_rate="invscaling", random_state=0, **params)
    return _passes(model, fold, lambda: 1 - model.score(fold.x_judged, fold.y_judged), classes=np.unique(fold.y))


def _boosting(params: Params, fold: Fold) -> list[float]:
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
    from sklearn.metrics import log_loss, mean_squared_error

    trees = {"n_estimators": N_EPOCHS * N_TREES, "random_state": 0}
    if fold.y.dtype.kind == "i":
        classifier = GradientBoostingClassifier(**trees, **params).fit(fold.x, fold.y)
        losses = [log_loss(fold.y_judged, shares) for shares in classifier.staged_predict_proba(fold.x_judged)]
    else:
        regressor = GradientBoostingRegressor(**trees, **params).fit(fold.x, fold.y)
        losses = [mean_squared_error(fold.y_judged, values) for values in regressor.staged_predict(fold.x_judged)]
    return losses[N_TREES - 1 :: N_TREES]


_BOOSTING: Json = {
    "learning_rate": rate(1e-2, 1.0),
    "max_depth": whole(1, 8),
    "min_samples_leaf": whole(1, 60, log=True),
    "subsample": {"type": "float_range", "min": 0.3, "max": 1.0},
    "max_features": {"type": "float_range", "min": 0.1, "max": 1.0, "step": 0.1},
}
_LINEAR: Json = {
    "loss": one_of("log_loss", "modified_huber", "hinge"),
    "penalty": one_of("l2", "l1", "elasticnet"),
    "alpha": rate(1e-6, 1.0),
    "l1_ratio": {"type": "float_range", "min": 0.0, "max": 1.0, "when": {"penalty": ["elasticnet"]}},
    "eta0": rate(1e-5, 1.0),
    "power_t": {"type": "float_range", "min": 0.0, "max": 1.0},
}

GRADUAL = [
    Gradual("network on digits, by epoch", False, NETWORK, "digits", _network, 400),
    Gradual("network on diabetes, by epoch", False, NETWORK, "diabetes", _network, 400),
    Gradual("boosting on diabetes, by epoch", False, _BOOSTING, "diabetes", _boosting),
    Gradual("boosting on breast cancer, by epoch", True, _BOOSTING, "breast_cancer", _boosting),
    Gradual("linear on digits, by epoch", True, _LINEAR, "digits", _linear),
]


def main() -> None:
    """Write those that are missing, or those named on the command line anew."""
    warnings.simplefilter("ignore")  # what badly chosen parameters do is what the sample is for
    wanted = sys.argv[1:]
    FOLDER.mkdir(exist_ok=True)
    for gradual in GRADUAL:
        if gradual.name in wanted or (not wanted and not gradual.path.exists()):
            start = time.monotonic()
            courses = [gradual.course(params) for params in points(Space.from_json(gradual.space))[:N_POINTS]]
            gradual.path.write_text(json.dumps(courses, separators=(",", ":")) + "\n")
            print(f"{gradual.name}: {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
