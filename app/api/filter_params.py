"""How a list is asked for by a filter, and in an order: the query parameters of runs, trials and tuners."""

from typing import Annotated, Any

from fastapi import Query

from app.service.filter_language import MAX_LENGTH


def _which(things: str, rule: str, example: str) -> Any:
    description = f"Which {things}, for example `{rule}`; see docs/filters.md."
    return Query(max_length=MAX_LENGTH, description=description, examples=[example])


def _in_order(example: str) -> Any:
    description = "Comma-separated fields, each with an optional `asc` or `desc`; missing values and NaN come last."
    return Query(max_length=MAX_LENGTH, description=description, examples=[example])


RunFilter = Annotated[
    str | None,
    _which(
        "runs",
        'metrics.loss < 0.1 and params.optimizer = "adam"',
        'metrics.val_loss < 0.1 and (params.optimizer = "adam" or "baseline" in tags)',
    ),
]
TrialFilter = Annotated[
    str | None,
    _which(
        "trials",
        'score > 0.9 and params.optimizer = "adam"',
        'score > 0.9 and params.optimizer = "adam" and not worker is null',
    ),
]
TunerFilter = Annotated[
    str | None,
    _which(
        "tuners",
        'state = "active" and "ann" in tags',
        'name like "digits%" and create_time >= "2026-11-22" and not state = "stopped"',
    ),
]
OrderBy = Annotated[str | None, _in_order("metrics.accuracy desc, start_time")]
TrialOrderBy = Annotated[str | None, _in_order("score desc, number")]
