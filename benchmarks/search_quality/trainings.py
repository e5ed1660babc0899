"""Real tuning tasks: models of scikit-learn, cross-validated on the data that comes with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.domain.space import Space
from app.domain.values import Params

Json = dict[str, dict[str, Any]]

WORST = 5.0
"""The loss of a training that breaks down, or comes to something worse; no sensible model is near."""


@dataclass(frozen=True)
class Training:
    """A model to tune on a data set.

    Args:
        data: the loader's name in sklearn.datasets.
        build: the estimator for some params.
        scoring: scikit-learn's name of the score; the loss is its negative.
        n_rows: so many rows of the data, drawn once, keep one evaluation under a second.
    """

    name: str
    is_held_out: bool
    space: Json
    data: str
    build: Callable[[Params], Any]
    scoring: str
    n_rows: int = 600

    def loss(self, params: Params) -> float:
        """The cross-validated loss of a model with these params; a training that breaks down has a large one."""
        from sklearn import datasets
        from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score

        x, y = getattr(datasets, f"load_{self.data}")(return_X_y=True)
        rows = np.random.default_rng(0).permutation(len(x))[: self.n_rows]
        is_classes = self.data != "diabetes"
        folds = (StratifiedKFold if is_classes else KFold)(3, shuffle=True, random_state=0)
        try:
            scores = cross_val_score(self.build(params), x[rows], y[rows], cv=folds, scoring=self.scoring)
        except ValueError:  # numbers too large for the model: training diverged
            return WORST
        return min(-float(np.mean(scores)), WORST) if np.isfinite(scores).all() else WORST


def space_of(training: Training) -> Space:
    """The space of a training."""
    return Space.from_json(training.space)


def rate(low: float, high: float, **more: Any) -> dict[str, Any]:
    """A number on a logarithmic scale."""
    return {"type": "float_range", "min": low, "max": high, "log": True, **more}


def whole(low: int, high: int, log: bool = False, **more: Any) -> dict[str, Any]:
    """A whole number."""
    return {"type": "int_range", "min": low, "max": high, "log": log, **more}


def one_of(*options: Any, **more: Any) -> dict[str, Any]:
    """A choice."""
    return {"type": "choice", "options": list(options), **more}


def _without(params: Params, *names: str) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name not in names}


def _scaled(model: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), model)


def _svc(params: Params) -> Any:
    from sklearn.svm import SVC

    return _scaled(SVC(**params, max_iter=3000))


def _boosting(params: Params) -> Any:
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(**params, random_state=0)


def _forest(params: Params) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    kinds: Mapping[Any, Any] = {"random": RandomForestClassifier, "extra": ExtraTreesClassifier}
    return kinds[params["kind"]](**_without(params, "kind"), random_state=0)


def _network(kind: str) -> Callable[[Params], Any]:
    def build(params: Params) -> Any:
        from sklearn import neural_network

        width, depth = params["width"], params["depth"]
        assert isinstance(width, int)
        assert isinstance(depth, int)
        others = _without(params, "width", "depth")
        model = getattr(neural_network, kind)(hidden_layer_sizes=[width] * depth, **others, max_iter=25, random_state=0)
        if kind == "MLPClassifier":
            return _scaled(model)
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.preprocessing import StandardScaler

        return TransformedTargetRegressor(_scaled(model), transformer=StandardScaler())

    return build


def _several(params: Params) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    kind, rest = params["model"], _without(params, "model")
    if kind == "svm":
        return _scaled(SVC(C=rest["svm_c"], gamma=rest["svm_gamma"], max_iter=3000))
    if kind == "forest":
        return RandomForestClassifier(
            rest["trees"], max_depth=rest["tree_depth"], max_features=rest["features"], random_state=0
        )
    if kind == "neighbors":
        return _scaled(KNeighborsClassifier(rest["k"], weights=rest["weights"], p=rest["p"]))
    return _scaled(LogisticRegression(C=rest["linear_c"], max_iter=200))


_MODELS: Json = {
    "model": one_of("svm", "forest", "neighbors", "linear"),
    "svm_c": rate(1e-3, 1e3, when={"model": ["svm"]}),
    "svm_gamma": rate(1e-5, 10.0, when={"model": ["svm"]}),
    "trees": whole(5, 60, log=True, when={"model": ["forest"]}),
    "tree_depth": whole(1, 15, when={"model": ["forest"]}),
    "features": {"type": "float_range", "min": 0.05, "max": 1.0, "when": {"model": ["forest"]}},
    "k": whole(1, 50, log=True, when={"model": ["neighbors"]}),
    "weights": one_of("uniform", "distance", when={"model": ["neighbors"]}),
    "p": {"type": "float_range", "min": 1.0, "max": 4.0, "step": 0.5, "when": {"model": ["neighbors"]}},
    "linear_c": rate(1e-4, 1e3, when={"model": ["linear"]}),
}


def _several_regressors(params: Params) -> Any:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import Ridge
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR

    kind, rest = params["model"], _without(params, "model")
    if kind == "svm":
        model = _scaled(SVR(C=rest["svm_c"], gamma=rest["svm_gamma"], max_iter=3000))
    elif kind == "forest":
        model = RandomForestRegressor(
            rest["trees"], max_depth=rest["tree_depth"], max_features=rest["features"], random_state=0
        )
    elif kind == "neighbors":
        model = _scaled(KNeighborsRegressor(rest["k"], weights=rest["weights"], p=rest["p"]))
    else:
        model = _scaled(Ridge(alpha=1 / rest["linear_c"]))
    return TransformedTargetRegressor(model, transformer=StandardScaler())


def _kernel_ridge(params: Params) -> Any:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.preprocessing import StandardScaler

    return TransformedTargetRegressor(_scaled(KernelRidge(**params)), transformer=StandardScaler())


NETWORK: Json = {
    "width": whole(4, 64, log=True),
    "depth": whole(1, 3),
    "learning_rate_init": rate(1e-4, 0.3),
    "alpha": rate(1e-6, 10.0),
    "batch_size": one_of(16, 32, 64, 128, ordered=True),
    "activation": one_of("relu", "tanh", "logistic"),
}

TRAININGS = [
    Training(
        "svm on digits",
        False,
        {
            "kernel": one_of("rbf", "poly", "sigmoid", "linear"),
            "C": rate(1e-3, 1e3),
            "gamma": rate(1e-6, 1.0, when={"kernel": ["rbf", "poly", "sigmoid"]}),
            "degree": whole(2, 5, when={"kernel": ["poly"]}),
            "coef0": {"type": "float_range", "min": -1.0, "max": 1.0, "when": {"kernel": ["poly", "sigmoid"]}},
            "shrinking": {"type": "flag"},
        },
        "digits",
        _svc,
        "accuracy",
    ),
    Training(
        "boosting on diabetes",
        False,
        {
            "learning_rate": rate(1e-3, 1.0),
            "n_estimators": whole(10, 150, log=True),
            "max_depth": whole(1, 8),
            "min_samples_leaf": whole(1, 60, log=True),
            "subsample": {"type": "float_range", "min": 0.3, "max": 1.0},
            "max_features": {"type": "float_range", "min": 0.1, "max": 1.0, "step": 0.1},
            "loss": one_of("squared_error", "absolute_error", "huber"),
        },
        "diabetes",
        _boosting,
        "r2",
    ),
    Training("network on digits", False, NETWORK, "digits", _network("MLPClassifier"), "neg_log_loss", 400),
    Training("one of four models on diabetes", False, _MODELS, "diabetes", _several_regressors, "r2"),
    Training(
        "forests on breast cancer",
        True,
        {
            "kind": one_of("random", "extra"),
            "n_estimators": whole(5, 60, log=True),
            "criterion": one_of("gini", "entropy"),
            "max_depth": whole(1, 16),
            "min_samples_split": whole(2, 64, log=True),
            "max_features": {"type": "float_range", "min": 0.03, "max": 1.0, "log": True},
            "bootstrap": {"type": "flag"},
        },
        "breast_cancer",
        _forest,
        "neg_log_loss",
    ),
    Training("network on diabetes", True, NETWORK, "diabetes", _network("MLPRegressor"), "r2"),
    Training("one of four models on digits", True, _MODELS, "digits", _several, "accuracy"),
    Training(
        "kernel ridge on diabetes",
        True,
        {
            "kernel": one_of("rbf", "laplacian", "polynomial", "sigmoid"),
            "alpha": rate(1e-5, 1e3),
            "gamma": rate(1e-6, 10.0),
            "degree": whole(1, 4, when={"kernel": ["polynomial"]}),
            "coef0": {"type": "float_range", "min": 0.0, "max": 5.0, "when": {"kernel": ["polynomial", "sigmoid"]}},
        },
        "diabetes",
        _kernel_ridge,
        "r2",
    ),
]
