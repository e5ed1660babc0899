"""What is drawn from the events, and that nothing that an event can say breaks the drawing."""

import io
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from app.watch.picture import Picture, sparkline

RUN = "019ab1c2-5f77-7c88-8d99-e0f1a2b3c4d5"
TRIAL = "019ab1c2-4a10-7b21-9c32-d4e5f6071829"
SEARCH: list[dict[str, Any]] = [
    {"type": "trial_start", "trial_id": TRIAL, "number": 7, "worker": "gpu-3", "params": {"lr": 0.1}},
    {"type": "run_start", "run_id": RUN, "trial_id": TRIAL, "params": {"lr": 0.12345, "name": "[b]x[/]"}},
    *(
        {"type": "epoch_end", "run_id": RUN, "epoch": epoch, "metrics": {"loss": "NaN", "accuracy": epoch / 4}}
        for epoch in range(4)
    ),
]
END: list[dict[str, Any]] = [
    {"type": "training_end", "run_id": RUN, "status": "stopped", "final_metrics": {"accuracy": 0.875}},
    {"type": "trial_end", "trial_id": TRIAL, "number": 7, "state": "stopped", "score": 0.875},
]


def drawn(picture: Picture, height: int = 40) -> str:
    """What somebody sees."""
    console = Console(file=io.StringIO(), width=160, height=height, force_terminal=False)
    console.print(picture)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def after(events: list[dict[str, Any]], **options: Any) -> Picture:
    """The picture after these events."""
    picture = Picture(**options)
    for event in events:
        picture.take(event)
    return picture


def test_a_run_is_shown_with_its_trial_its_curve_and_its_latest_metrics() -> None:
    text = drawn(after(SEARCH, metric="accuracy", is_of_tuner=True, n_trials=10, n_epochs=8))
    assert "0/10 trials" in text
    (line,) = [line for line in text.splitlines() if RUN[-8:] in line]
    for part in ("7", "gpu-3", "4/8", "▁▃▆█····", "accuracy=0.75", "loss=nan", "lr=0.123", "name=[b]x[/]"):
        assert part in line, part


def test_the_best_trial_is_the_best_in_the_direction_of_the_tuner() -> None:
    other = END[1] | {"trial_id": "other", "score": 0.5}
    worse = END[1] | {"trial_id": "third", "state": "failed", "score": None}
    for direction, best in (("maximize", "0.8750"), ("minimize", "0.5000")):
        picture = after([*SEARCH, *END, other, worse], direction=direction, is_of_tuner=True)
        assert picture.best_score == best
        assert f"best accuracy {best}" in drawn(
            after([*SEARCH, other, *END], direction=direction, is_of_tuner=True)
        ) or (picture.metric != "accuracy")
        assert len(picture.ended) == 3


def test_more_runs_than_fit_are_counted_and_those_that_run_come_first() -> None:
    ended = [
        event | {"run_id": f"{RUN[:-4]}{number:04}", "trial_id": None}
        for number in range(50)
        for event in ({"type": "run_start", "params": {}}, END[0])
    ]
    text = drawn(after([*SEARCH, *ended]), height=20)
    assert "and 38 more runs" in text
    assert RUN[-8:] in text


def test_a_reset_forgets_and_a_deleted_run_is_gone() -> None:
    assert "nothing has begun yet" in drawn(after([*SEARCH, {"type": "reset", "last_event_id": 3}]))
    assert "nothing has begun yet" in drawn(after([*SEARCH, {"type": "run_delete", "run_id": RUN, "last_epoch": 3}]))


@pytest.mark.parametrize("text", ["[/x]", "[gpu0]", "loss[/b]", "loss[val]", "\\[b]", "a\\"])
def test_names_are_shown_as_they_are_whatever_brackets_they_have(text: str) -> None:
    begun = [SEARCH[0] | {"worker": text}, SEARCH[1], SEARCH[2] | {"metrics": {text: 0.5}}]
    drawing = drawn(after(begun, is_of_tuner=True))
    (line,) = [line for line in drawing.splitlines() if RUN[-8:] in line]
    assert f"  {text}  " in line
    assert f"{text}=0.5" in line
    assert f"best {text} -" in drawing


def test_several_objectives_have_no_best_trial() -> None:
    trial = END[1] | {"score": None, "scores": {"accuracy": 0.875, "loss": 0.1}}
    drawing = drawn(after([SEARCH[0], trial, trial | {"trial_id": "other"}], direction=None, is_of_tuner=True))
    assert "2 trials, 0 epochs" in drawing
    assert "best" not in drawing


def test_curves_have_the_heights_of_all_that_was_seen_since_the_last_reset() -> None:
    other = [event | {"run_id": "other"} for event in SEARCH[1:3]]
    high, reset = other[1] | {"metrics": {"accuracy": 100.0}}, {"type": "reset", "last_event_id": 3}
    assert "▁▁▁▁" in drawn(after([*other[:1], high, *SEARCH], metric="accuracy"))
    assert "▁▃▆█" in drawn(after([*other[:1], high, reset, *SEARCH], metric="accuracy"))


def test_a_lost_connection_is_said() -> None:
    assert "trying again" in drawn(after(SEARCH, is_connected=False))


@given(
    st.lists(st.floats(), max_size=200),
    st.one_of(st.none(), st.integers(1, 300)),
)
@example([1.7e308, -1.7e308], None)
@example([5e-324, 0.0], None)
def test_a_curve_of_any_numbers_is_a_line_that_fits(curve: list[float], n_expected: int | None) -> None:
    finite = [value for value in curve if abs(value) < float("inf")]
    text = sparkline(curve, min(finite, default=0.0), max(finite, default=0.0), n_expected)
    assert len(text) <= 25
    assert set(text) <= set("▁▂▃▄▅▆▇█?·")
    assert bool(curve) <= bool(text)
