"""Keras, Lightning and the Hugging Face Trainer as a callback sees them: base classes, and the order of their calls.

They need a tensor library of many hundred megabytes, so here each is a stand-in of a page: its module, as far as the
callback imports it, and a loop that calls the hooks as the real one does, with the same kinds of arguments. The real
ones train in test_frameworks.py, where they are installed. Written from Keras 3.15, Lightning 2.6, transformers 5.23.
"""

from collections.abc import Callable, Iterator
from itertools import count
from types import ModuleType, SimpleNamespace
from typing import Any

MANY = 10_000
Metrics = Callable[[int], dict[str, Any]]
"""What is measured at each epoch."""


def module(name: str, **members: Any) -> ModuleType:
    """A module to be imported by that name."""
    made = ModuleType(name)
    made.__dict__.update(members)
    return made


class Scalar:
    """A tensor without dimensions, which is what frameworks give where they could give numbers."""

    def __init__(self, value: float) -> None:
        self._value = value

    def __float__(self) -> float:
        return self._value


# --------------------------------------------------------------------------------------------------------------- Keras


class KerasCallback:
    """`keras.callbacks.Callback`: the model is set by the list of callbacks, and read through a property."""

    params: Any = None
    _model: Any = None

    @property
    def model(self) -> Any:
        """The model that is trained."""
        return self._model

    def set_params(self, params: Any) -> None:
        """Called first."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Called second."""
        self._model = model

    def __getattr__(self, hook: str) -> Callable[..., None]:
        if not hook.startswith("on_"):
            raise AttributeError(hook)
        return lambda *_arguments, **_named: None


def keras() -> dict[str, ModuleType]:
    """The modules."""
    callbacks = module("keras.callbacks", Callback=KerasCallback)
    return {"keras": module("keras", callbacks=callbacks), "keras.callbacks": callbacks}


def keras_fit(callback: Any, metrics: Metrics, epochs: int = MANY) -> int:
    """`Model.fit` with validation; how many epochs it trained."""
    model = SimpleNamespace(stop_training=False)
    callback.set_params({"verbose": 0, "epochs": epochs, "steps": 1})
    callback.set_model(model)
    callback.on_train_begin(None)
    n_trained = 0
    for epoch in range(epochs):
        callback.on_epoch_begin(epoch, None)
        callback.on_train_batch_begin(0, None)
        callback.on_train_batch_end(0, {"loss": 1.0})
        callback.on_test_begin(None)
        callback.on_test_end({"loss": 1.0})
        callback.on_epoch_end(epoch, metrics(epoch))
        n_trained += 1
        if model.stop_training:
            break
    callback.on_train_end(None)
    return n_trained


# ----------------------------------------------------------------------------------------------------------- Lightning


class LightningCallback:
    """`lightning.pytorch.callbacks.Callback`: every hook is there and does nothing."""

    def __getattr__(self, hook: str) -> Callable[..., None]:
        if not hook.startswith(("on_", "setup", "teardown")):
            raise AttributeError(hook)
        return lambda *_arguments, **_named: None


class LightningLogger:
    """`lightning.pytorch.loggers.Logger`."""

    def log_graph(self, model: Any) -> None:
        """Called once, at the start."""

    def save(self) -> None:
        """Called after each time that something was logged."""

    def finalize(self, status: str) -> None:
        """Called once, at the end."""


def lightning() -> dict[str, ModuleType]:
    """The modules; a process of its own is rank zero."""
    return {
        "lightning": module("lightning"),
        "lightning.pytorch": module("lightning.pytorch"),
        "lightning.pytorch.callbacks": module("lightning.pytorch.callbacks", Callback=LightningCallback),
        "lightning.pytorch.loggers": module("lightning.pytorch.loggers", Logger=LightningLogger),
        "lightning.pytorch.utilities": module("lightning.pytorch.utilities", rank_zero_only=lambda function: function),
    }


def lightning_fit(
    callback: Any,
    metrics: Metrics,
    logger: Any = None,
    *,
    epochs: int = MANY,
    is_global_zero: bool = True,
    told: bool | None = None,
) -> int:
    """`Trainer.fit`, two steps an epoch, validation inside the epoch; how many epochs it trained.

    Args:
        told: what process zero says of whether to stop, where this is another one.
    """
    trainer = SimpleNamespace(
        should_stop=False,
        current_epoch=0,
        is_global_zero=is_global_zero,
        sanity_checking=True,
        callback_metrics={},
        strategy=SimpleNamespace(broadcast=lambda said: said if told is None else told),
    )
    if logger is not None:
        assert (logger.name, bool(logger.version)) == ("tunetrack", True)
        logger.log_hyperparams({"lr": 0.1})
    callback.log = lambda *_arguments, **_named: None  # the module's own, which is attached to each callback
    for hook in ("setup", "on_fit_start", "on_sanity_check_start", "on_validation_epoch_end", "on_sanity_check_end"):
        getattr(callback, hook)(trainer, None)
    trainer.sanity_checking = False
    callback.on_train_start(trainer, None)
    step = n_trained = 0
    while trainer.current_epoch < epochs and not trainer.should_stop:
        callback.on_train_epoch_start(trainer, None)
        for batch in range(2):
            callback.on_train_batch_end(trainer, None, {"loss": Scalar(1.0)}, None, batch)
            if logger is not None:
                logger.log_metrics(metrics={"train_step": float(step), "epoch": trainer.current_epoch}, step=step)
                logger.save()
            step += 1
        measured = metrics(trainer.current_epoch)
        # What is not measured in this epoch stays.
        trainer.callback_metrics |= {name: Scalar(value) for name, value in measured.items()}
        callback.on_validation_epoch_end(trainer, None)
        if logger is not None:
            logger.log_metrics(metrics=measured | {"epoch": trainer.current_epoch}, step=step - 1)
            logger.save()
        callback.on_train_epoch_end(trainer, None)
        trainer.current_epoch += 1
        n_trained += 1
    callback.on_train_end(trainer, None)
    if logger is not None:
        logger.finalize("success")
    return n_trained


# -------------------------------------------------------------------------------------------------------- Hugging Face


class TrainerCallback:
    """`transformers.TrainerCallback`: every hook is there and does nothing."""

    def __getattr__(self, hook: str) -> Callable[..., None]:
        if not hook.startswith("on_"):
            raise AttributeError(hook)
        return lambda *_arguments, **_named: None


def transformers(told: bool | None = None) -> dict[str, ModuleType]:
    """The module, and what a callback needs of PyTorch's.

    Args:
        told: what process zero says of whether to stop, where the training is distributed, and this another process.
    """

    def broadcast(said: list[bool | None], src: int) -> None:
        said[src] = told

    distributed = module(
        "torch.distributed",
        is_available=lambda: True,
        is_initialized=lambda: told is not None,
        broadcast_object_list=broadcast,
    )
    return {
        "transformers": module("transformers", TrainerCallback=TrainerCallback),
        "torch": module("torch", distributed=distributed),
        "torch.distributed": distributed,
    }


def trainer_train(
    callback: Any,
    metrics: Metrics,
    *,
    epochs: int = MANY,
    max_steps: int = MANY,
    evaluates_steps: bool = False,
    is_world_process_zero: bool = True,
) -> int:
    """`Trainer.train`, two steps an epoch, each logged, an evaluation after each epoch or step, also where it ends; how
    many steps it trained."""
    state = SimpleNamespace(global_step=0, epoch=0.0, is_world_process_zero=is_world_process_zero)
    control = SimpleNamespace(should_training_stop=False, should_epoch_stop=False)
    evaluations = count()

    def call(hook: str, **more: Any) -> None:
        answer = getattr(callback, hook)(None, state, control, model=None, optimizer=None, **more)
        assert answer is None  # it changes the control that it is given

    def log(logs: dict[str, Any]) -> None:
        call("on_log", logs=logs | {"epoch": state.epoch})

    def evaluate() -> None:
        measured = metrics(next(evaluations))
        log(measured)
        call("on_evaluate", metrics=measured | {"epoch": state.epoch})

    call("on_train_begin")
    for _ in range(epochs):
        call("on_epoch_begin")
        for _ in _steps(control):
            call("on_step_begin")
            state.global_step += 1
            state.epoch = state.global_step / 2
            call("on_step_end")
            control.should_training_stop |= state.global_step >= max_steps
            log({"loss": 1.0, "grad_norm": Scalar(0.5), "learning_rate": 1e-3})
            if evaluates_steps:
                evaluate()
        call("on_epoch_end")
        if not evaluates_steps:
            evaluate()
        if control.should_training_stop:
            break
    log({"train_runtime": 1.0, "train_loss": 1.0})
    call("on_train_end")
    return int(state.global_step)


def _steps(control: Any) -> Iterator[int]:
    for step in range(2):
        if control.should_training_stop:
            return
        yield step
