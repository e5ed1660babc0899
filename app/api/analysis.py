"""What a tuner's trials have taught."""

from typing import Annotated

from fastapi import Request
from pydantic import Field
from typing_extensions import TypeAliasType

from app.api.fields import Answer, parse_id
from app.api.problems import declared
from app.api.state import services
from app.api.strict import new_router
from app.domain.errors import InvalidRequest, UnknownTuner

router = new_router("analysis")


Importance = TypeAliasType(
    "Importance", Annotated[dict[str, float], Field(description="Parameters, each with its share.")]
)
ImportanceByMetric = TypeAliasType(
    "ImportanceByMetric",
    Annotated[dict[str, Importance], Field(description="Objectives, each with the shares of its own.")],
)


class ImportanceAnswer(Answer):
    """How much of the scores' variance each parameter explains by itself."""

    importance: Importance = Field(
        description="Shares that sum to 1, the largest first; of several objectives their mean. Empty while there is"
        " too little to tell."
    )
    trials: int = Field(description="The number of trials with a score that this is based on.")
    by_metric: ImportanceByMetric = Field(description="The shares of each objective, by its metric.")


@router.get("/tuners/{tuner_id}/importance", responses=declared(UnknownTuner, InvalidRequest))
async def get_importance(request: Request, tuner_id: str) -> ImportanceAnswer:
    """Show how much of the scores' variance each parameter explains by itself."""
    known = await services(request).importances.learn(parse_id(tuner_id, UnknownTuner))
    return ImportanceAnswer(importance=known.shares, trials=known.n_trials, by_metric=known.by_metric)
