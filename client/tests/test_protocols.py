"""The callbacks of frameworks that are not installed here, each called as its framework calls it."""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests import protocols
from tests.told_to_stop import LAST_EPOCH, train_and_be_stopped
from tunetrack_client import Client, Run

Load = Callable[[str, dict[str, ModuleType]], Any]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports a callback's module over a stand-in, and forgets both afterwards."""

    def import_over(name: str, modules: dict[str, ModuleType]) -> Any:
        for one, found in modules.items():
            monkeypatch.setitem(sys.modules, one, found)
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.setitem(sys.modules, name, loaded := importlib.import_module(name))
        monkeypatch.delitem(sys.modules, name)
        return loaded

    return import_over


def measure(epoch: int) -> dict[str, Any]:
    """What is measured at an epoch."""
    return {"loss": 1.0 / (epoch + 1), "val_loss": 2.0 / (epoch + 1), "eval_loss": 2.0 / (epoch + 1)}


def test_keras(client: Client, load: Load) -> None:
    keras = load("tunetrack_client.keras", protocols.keras())

    def train(run: Run) -> None:
        assert protocols.keras_fit(keras.TunetrackCallback(run), measure) == LAST_EPOCH + 1

    found = train_and_be_stopped(client, "val_loss", train)
    assert (found["last_epoch"], found["summary"]["loss"]["count"]) == (LAST_EPOCH, LAST_EPOCH + 1)


def test_keras_may_log_what_is_no_number(client: Client, load: Load) -> None:
    keras = load("tunetrack_client.keras", protocols.keras())
    with client.run() as run:
        strange = {"loss": protocols.Scalar(0.5), "confusion": [[1, 2], [3, 4]], "note": "7"}
        assert protocols.keras_fit(keras.TunetrackCallback(run), lambda _: strange, epochs=1) == 1
    client.flush()
    assert client.get(f"/v1/runs/{run.run_id}")["metrics"] == {"loss": 0.5}


@pytest.mark.parametrize("has_logger", [False, True])
def test_lightning(client: Client, load: Load, has_logger: bool) -> None:
    lightning = load("tunetrack_client.lightning", protocols.lightning())

    def train(run: Run) -> None:
        logger = lightning.TunetrackLogger(run) if has_logger else None
        callback = lightning.TunetrackCallback(run, log=not has_logger)
        n_trained = protocols.lightning_fit(callback, measure, logger)
        assert n_trained == (2 if has_logger else LAST_EPOCH + 1)  # by steps, of which an epoch has two

    found = train_and_be_stopped(client, "val_loss", train)
    assert found["last_epoch"] == (3 if has_logger else LAST_EPOCH)
    assert "epoch" not in found["metrics"]
    # The logger's epochs are steps: a callback that logged, too, would add its own.
    assert client.curves(found["run_id"], "val_loss")["val_loss"]["epochs"] == ([1, 3] if has_logger else [0, 1, 2])


def test_lightning_may_validate_every_second_epoch(client: Client, load: Load) -> None:
    lightning = load("tunetrack_client.lightning", protocols.lightning())

    def measure_some(epoch: int) -> dict[str, float]:
        return {"loss": 0.5} | ({"val_loss": 0.7} if epoch % 2 else {})

    with client.run() as run:
        assert protocols.lightning_fit(lightning.TunetrackCallback(run), measure_some, epochs=5) == 5
    client.flush()
    assert client.curves(run.run_id) == {
        "loss": {"epochs": [0, 1, 2, 3, 4], "values": [0.5] * 5},
        "val_loss": {"epochs": [1, 3], "values": [0.7] * 2},
    }


@pytest.mark.parametrize("has_run", [False, True])
def test_only_one_of_lightnings_processes_speaks_and_all_of_them_stop(
    client: Client, load: Load, has_run: bool
) -> None:
    lightning = load("tunetrack_client.lightning", protocols.lightning())
    with client.run() as run:
        callback = lightning.TunetrackCallback(run if has_run else None)
        assert protocols.lightning_fit(callback, measure, is_global_zero=False, told=True) == 1
    client.flush()
    assert client.get(f"/v1/runs/{run.run_id}")["metrics"] == {}


def test_lightnings_other_processes_have_a_logger_without_a_run(load: Load) -> None:
    lightning = load("tunetrack_client.lightning", protocols.lightning())
    logger = lightning.TunetrackLogger(None)
    logger.log_metrics({"loss": 0.5}, step=0)
    assert (logger.name, logger.version) == ("tunetrack", "")


@pytest.mark.parametrize(("by", "n_steps"), [("step", 2), ("epoch", 4)])
def test_hugging_face_trainer(client: Client, load: Load, by: str, n_steps: int) -> None:
    huggingface = load("tunetrack_client.huggingface", protocols.transformers())

    def train(run: Run) -> None:
        callback = huggingface.TunetrackCallback(run, by=by)
        # Of two steps an epoch: the evaluation after step 2 is of the run's epoch 2, or 1.
        assert protocols.trainer_train(callback, lambda epoch: {"eval_loss": 1.0 / (epoch + 1)}) == n_steps

    found = train_and_be_stopped(client, "eval_loss", train)
    assert "epoch" not in found["metrics"]
    assert ("loss" in found["metrics"]) == (by == "step")


@pytest.mark.parametrize(
    ("evaluates_steps", "max_steps", "values"),
    [(True, 4, [1.0, 3.0]), (True, 5, [1.0, 3.0, 4.0]), (False, 5, [0, 1, 2])],
)
def test_of_the_trainers_evaluations_in_an_epoch_the_last_one_counts(
    client: Client, load: Load, evaluates_steps: bool, max_steps: int, values: list[float]
) -> None:
    huggingface = load("tunetrack_client.huggingface", protocols.transformers())
    with client.run() as run:
        callback = huggingface.TunetrackCallback(run, by="epoch")
        protocols.trainer_train(
            callback, lambda n: {"eval_loss": n}, max_steps=max_steps, evaluates_steps=evaluates_steps
        )
    client.flush()
    assert run.error is None
    epochs = [1, 2, 3][: len(values)]
    assert client.curves(run.run_id) == {"eval_loss": {"epochs": epochs, "values": values}}


@pytest.mark.parametrize("has_run", [False, True])
def test_only_one_of_the_trainers_processes_speaks_and_all_of_them_stop(
    client: Client, load: Load, has_run: bool
) -> None:
    huggingface = load("tunetrack_client.huggingface", protocols.transformers(told=True))
    with client.run() as run:
        callback = huggingface.TunetrackCallback(run if has_run else None)
        assert protocols.trainer_train(callback, measure, is_world_process_zero=False) == 1
    client.flush()
    assert client.get(f"/v1/runs/{run.run_id}")["metrics"] == {}


@pytest.mark.parametrize("by", ["step", "epoch"])
def test_a_trainers_process_without_a_run_trains_on(load: Load, by: str) -> None:
    huggingface = load("tunetrack_client.huggingface", protocols.transformers(told=False))
    callback = huggingface.TunetrackCallback(None, by=by)
    assert protocols.trainer_train(callback, measure, epochs=3, is_world_process_zero=False) == 6
