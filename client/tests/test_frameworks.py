"""The callbacks, each in a real training of its framework, with a stopper that ends it early.

XGBoost, LightGBM and scikit-learn are installed for development. Keras, Lightning and the Hugging Face Trainer need a
tensor library of many hundred megabytes: they train here where they are installed, and everywhere
test_protocols.py calls the callbacks as they do.
"""

import os
import pickle
import uuid
from typing import Any

import numpy
import pytest

from tests.told_to_stop import LAST_EPOCH, train_and_be_stopped
from tunetrack_client import Client, Run, choice, float_range


def iris() -> Any:
    """Features and labels. What is large is imported where it is used: each test process collects all tests."""
    from sklearn.datasets import load_iris

    return load_iris(return_X_y=True)


def test_xgboost(client: Client) -> None:
    xgboost = pytest.importorskip("xgboost")
    from tunetrack_client.xgboost import TunetrackCallback

    features, labels = iris()
    data = xgboost.DMatrix(features, labels)

    def train(run: Run) -> None:
        booster = xgboost.train(
            {"objective": "multi:softprob", "num_class": 3, "nthread": 1},
            data,
            num_boost_round=10_000,
            evals=[(data, "train")],
            verbose_eval=False,
            callbacks=[TunetrackCallback(run)],
        )
        assert booster.num_boosted_rounds() == LAST_EPOCH + 1

    assert train_and_be_stopped(client, "train-mlogloss", train)["last_epoch"] == LAST_EPOCH


def test_xgboost_cross_validation(client: Client) -> None:
    xgboost = pytest.importorskip("xgboost")
    from tunetrack_client.xgboost import TunetrackCallback

    features, labels = iris()
    with client.run() as run:
        found = xgboost.cv(
            {"nthread": 1}, xgboost.DMatrix(features, labels), 4, nfold=3, callbacks=[TunetrackCallback(run)]
        )
    client.flush()
    series = client.get(f"/v1/runs/{run.run_id}/metrics")["series"]
    assert series["test-rmse"]["values"] == pytest.approx(list(found["test-rmse-mean"]))


def test_lightgbm(client: Client) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    from tunetrack_client.lightgbm import TunetrackCallback

    features, labels = iris()

    def train(run: Run) -> None:
        data = lightgbm.Dataset(features, labels)
        options = {"objective": "multiclass", "num_class": 3, "num_threads": 1, "verbose": -1}
        booster = lightgbm.train(
            options,
            data,
            num_boost_round=10_000,
            valid_sets=[data],
            valid_names=["valid"],
            callbacks=[TunetrackCallback(run)],
        )
        assert booster.best_iteration == LAST_EPOCH + 1

    assert train_and_be_stopped(client, "valid-multi_logloss", train)["last_epoch"] == LAST_EPOCH


def test_scikit_learn_searches_and_refits(client: Client) -> None:
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from tunetrack_client.sklearn import TunetrackSearchCV

    features, labels = load_digits(return_X_y=True)
    features, labels = features[:300], labels[:300]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=50))
    search = TunetrackSearchCV(
        model,
        {"logisticregression__C": float_range(1e-3, 1e2, log=True)},
        client=client,
        n_iter=5,
        batch_size=2,
        cv=3,
        seed=4,
    )
    search.fit(features, labels)
    assert search.n_splits_ == 3
    scores = search.cv_results_["mean_test_score"]
    assert len(scores) == 5
    trials = list(search.tuner_.history())
    assert sorted(trial["score"] for trial in trials) == pytest.approx(sorted(scores))
    assert search.tuner_.fetch()["best"]["params"] == search.best_params_
    assert search.best_score_ == max(scores)
    assert search.predict(features).shape == (300,)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_scikit_learn_searches_within_each_fold_of_another_validation(client: Client, n_jobs: int | None) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    from tunetrack_client.sklearn import TunetrackSearchCV

    features, labels = iris()
    search = TunetrackSearchCV(
        LogisticRegression(max_iter=500), {"C": float_range(0.1, 1.0)}, client=client, n_iter=2, name=f"fold {n_jobs}"
    )
    assert min(cross_val_score(search, features, labels, cv=3, n_jobs=n_jobs)) > 0.9
    found = [one for one in client.tuners() if one["name"] == search.name]
    assert [one["counts"]["completed"] for one in found] == [2, 2, 2]
    search.fit(features, labels)
    assert pickle.dumps(search)  # as a fitted search is kept


@pytest.mark.parametrize("batch_size", [1, 3])
def test_scikit_learn_raises_where_no_candidate_can_be_fitted(client: Client, batch_size: int) -> None:
    search = searching(client, float_range(-2.0, -1.0), n_iter=3, batch_size=batch_size)
    with pytest.raises(ValueError, match="fits failed"):
        search.fit(*iris())
    client.flush()
    counts = search.tuner_.fetch()["counts"]
    assert (counts["infeasible"], counts["running"], counts["queued"]) == (3, 0, 0)


def test_scikit_learn_goes_on_after_a_candidate_that_cannot_be_fitted(client: Client) -> None:
    search = searching(client, choice(-1.0, 0.1, 1.0), n_iter=3, strategy="grid").fit(*iris())
    assert [params["C"] for params in search.cv_results_["params"]] == [0.1, 1.0]
    lost = list(search.tuner_.history('state = "infeasible"'))
    assert [trial["params"] for trial in lost] == [{"C": -1.0}]
    assert "'C' parameter of LogisticRegression must be" in lost[0]["reason"]


def test_scikit_learn_searches_that_share_a_key_agree_on_the_best(client: Client) -> None:
    key = f"{uuid.uuid4()}"
    one, late = (searching(client, choice(0.001, 1.0), n_iter=2, strategy="grid", key=key) for _ in range(2))
    one.fit(*iris())
    late.fit(*iris())  # which finds nothing left to do
    assert late.best_params_ == one.best_params_
    assert (len(one.cv_results_["params"]), len(late.cv_results_["params"])) == (2, 1)
    lost = searching(client, float_range(-2.0, -1.0), n_iter=1, key=f"{key}, lost")
    for said in ("fits failed", "no candidate left"):
        with pytest.raises(ValueError, match=said):
            lost.fit(*iris())


def test_scikit_learn_may_be_told_to_raise(client: Client) -> None:
    search = searching(client, choice(-1.0, 0.1, 1.0), n_iter=3, strategy="grid", error_score="raise")
    with pytest.raises(ValueError, match="'C' parameter"):
        search.fit(*iris())
    assert search.tuner_.fetch()["counts"]["infeasible"] == 0


def searching(client: Client, spec: Any, **more: Any) -> Any:
    """A search over the strength of a model's regularisation, which must be positive."""
    from sklearn.linear_model import LogisticRegression

    from tunetrack_client.sklearn import TunetrackSearchCV

    return TunetrackSearchCV(LogisticRegression(max_iter=500), {"C": spec}, client=client, cv=3, refit=False, **more)


def test_pytorch_tensors_are_numbers(client: Client) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    weight = torch.nn.Parameter(torch.tensor(0.5))
    with client.run() as run:
        run.log(torch.tensor(3), loss=weight * 2, half=torch.tensor([1.5], dtype=torch.bfloat16), weight=weight)
        for several in (torch.tensor([1.0, 2.0]), torch.empty(1, device="meta")):
            with pytest.raises(ValueError, match="metric 'loss' is no number"):
                run.log(4, loss=several)
        for epoch in (torch.tensor(1.5), torch.tensor(-1), torch.tensor(float("inf"))):
            with pytest.raises(ValueError, match="an epoch is a whole number"):
                run.log(epoch, loss=1.0)
    client.flush()
    found = client.get(f"/v1/runs/{run.run_id}")
    assert (found["last_epoch"], found["metrics"]) == (3, {"loss": 1.0, "half": 1.5, "weight": 0.5})


def test_keras(client: Client) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    from tunetrack_client.keras import TunetrackCallback

    features, labels = iris()

    def train(run: Run) -> None:
        model = keras.Sequential([keras.layers.Dense(3, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(features, labels, validation_split=0.2, epochs=10_000, verbose=0, callbacks=[TunetrackCallback(run)])

    found = train_and_be_stopped(client, "val_loss", train)
    assert found["last_epoch"] == LAST_EPOCH
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= found["metrics"].keys()


@pytest.mark.parametrize("has_logger", [False, True])
def test_lightning(client: Client, has_logger: bool, tmp_path: Any) -> None:
    pytest.importorskip("lightning", reason="Lightning is not installed")
    import torch
    from lightning.pytorch import LightningModule, Trainer

    from tunetrack_client.lightning import TunetrackCallback, TunetrackLogger

    features, labels = iris()
    data = torch.utils.data.TensorDataset(torch.tensor(features, dtype=torch.float32), torch.tensor(labels))
    loader = torch.utils.data.DataLoader(data, batch_size=50)

    class Model(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 3)

        def training_step(self, batch: Any, _: int) -> Any:
            loss = torch.nn.functional.cross_entropy(self.layer(batch[0]), batch[1])
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch: Any, _: int) -> None:
            self.log("val_loss", torch.nn.functional.cross_entropy(self.layer(batch[0]), batch[1]))

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    def train(run: Run) -> None:
        trainer = Trainer(
            max_epochs=10_000,
            accelerator="cpu",
            default_root_dir=tmp_path,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            log_every_n_steps=1,
            logger=TunetrackLogger(run) if has_logger else False,
            callbacks=[TunetrackCallback(run, log=not has_logger)],
        )
        trainer.fit(Model(), loader, loader)

    found = train_and_be_stopped(client, "val_loss", train)
    assert found["last_epoch"] == (LAST_EPOCH if not has_logger else found["last_epoch"])
    assert {"train_loss", "val_loss"} <= found["metrics"].keys()


@pytest.mark.parametrize("by", ["step", "epoch"])
def test_hugging_face_trainer(client: Client, by: Any, tmp_path: Any) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    import torch

    from tunetrack_client.huggingface import TunetrackCallback

    features, labels = iris()
    data = [{"x": row, "labels": int(label)} for row, label in zip(features.astype(numpy.float32), labels, strict=True)]

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 3)

        def forward(self, x: Any, labels: Any) -> Any:
            logits = self.layer(x)
            return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}

    def train(run: Run) -> None:
        arguments = transformers.TrainingArguments(
            output_dir=str(tmp_path),
            num_train_epochs=10_000,
            per_device_train_batch_size=50,
            eval_strategy="epoch",
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
        )
        transformers.Trainer(
            Model(), arguments, train_dataset=data, eval_dataset=data, callbacks=[TunetrackCallback(run, by=by)]
        ).train()

    found = train_and_be_stopped(client, "eval_loss", train)
    assert found["last_epoch"] == (LAST_EPOCH if by == "epoch" else 3)
