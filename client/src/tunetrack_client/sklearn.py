"""A search for scikit-learn, used as `GridSearchCV` is: `TunetrackSearchCV(model, space, client=client).fit(X, y)`."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import numpy
from sklearn.model_selection._search import BaseSearchCV

from tunetrack_client.client import Client
from tunetrack_client.trial import Trial

Evaluate = Callable[[list[dict[str, Any]]], dict[str, Any]]


class TunetrackSearchCV(BaseSearchCV):
    """Cross-validated search over a space, proposed by a tuner and tracked, a run for each candidate.

    All else is scikit-learn's own: `best_params_`, `best_estimator_`, `cv_results_`, `refit`, pipelines.

    Args:
        space: parameter names (`"svc__C"` in a pipeline) to specs.
        client: by default one for `TUNETRACK_URL`.
        n_iter: how many candidates.
        batch_size: how many at once; all folds of a batch are fitted by `n_jobs` processes.
        strategy, name, key, seed: as `Client.tuner` takes them; the score is the mean over the folds, to be maximised.
            Searches with the same key, on as many machines as you like, share one tuner and its `n_iter`; each has
            its own candidates in `cv_results_`, and the best of all.
        error_score: as in scikit-learn. A candidate of which no fit succeeds is infeasible, and no row of
            `cv_results_`; the search goes on, and raises only where all are.

    After `fit`, `tuner_` is the tuner.
    """

    def __init__(
        self,
        estimator: Any,
        space: Mapping[str, Mapping[str, Any]],
        *,
        client: Client | None = None,
        n_iter: int = 20,
        batch_size: int = 1,
        strategy: str | None = None,
        name: str = "",
        key: str | None = None,
        seed: int | None = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: bool | str = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: float | str = numpy.nan,
        return_train_score: bool = False,
    ) -> None:
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.space = space
        self.client = client
        self.n_iter = n_iter
        self.batch_size = batch_size
        self.strategy = strategy
        self.name = name
        self.key = key
        self.seed = seed

    def _run_search(self, evaluate_candidates: Evaluate) -> None:
        client = Client() if self.client is None else self.client
        self.tuner_ = client.tuner(
            self.space,
            key=self.key,
            name=self.name or type(self.estimator).__name__,
            objective="mean_test_score",
            strategy=self.strategy,
            max_trials=self.n_iter,
            seed=self.seed,
        )
        metric = self.refit if isinstance(self.refit, str) else "score"
        fitted: list[dict[str, Any]] = []
        failed = ValueError("this search has no candidate left to give, and none that could be fitted")
        # One worker is handed what it holds already: a batch is made of as many workers as it has trials.
        for trial in self.tuner_.trials():
            with ExitStack() as held:
                others = self.tuner_.suggest(self.batch_size - 1) if self.batch_size > 1 else []
                batch = [trial, *(held.enter_context(other.held()) for other in others)]
                try:
                    results = evaluate_candidates([one.params for one in batch])
                except ValueError as error:
                    if self.error_score == "raise" or "fits failed" not in str(error):
                        raise
                    # For scikit-learn these are all that there are. Here others may do better.
                    failed = error
                    for one in batch:
                        one.infeasible(_last_line(error))
                else:
                    fitted += [one.params for one in batch]
                    for number, one in enumerate(batch):
                        _tell(one, results, len(results["params"]) - len(batch) + number, metric)
        best = self.tuner_.best
        if best is not None and best["params"] not in fitted:  # found by another process, or before this one
            evaluate_candidates([best["params"]])
        elif not fitted:
            raise failed


def _last_line(error: ValueError) -> str:
    """Of what scikit-learn says of fits that failed: of the last trace, what was raised."""
    return f"all fits failed, at last with {str(error).strip().splitlines()[-1].strip()}"


def _tell(trial: Trial, results: Mapping[str, Any], index: int, metric: str) -> None:
    scores = {
        name: values[index]
        for name, values in results.items()
        if name.startswith(("mean_test_", "std_test_", "mean_fit_time", "mean_score_time"))
    }
    scores["mean_test_score"] = results[f"mean_test_{metric}"][index]
    with trial.run() as run:
        for fold in range(sum(1 for name in results if name.startswith("split") and name.endswith(f"_test_{metric}"))):
            run.log(fold, fold_score=results[f"split{fold}_test_{metric}"][index])
        run.final(scores)
