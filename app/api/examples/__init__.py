"""An example of every body and answer, by the name of its model: the OpenAPI document shows them."""

from typing import Any

from app.api.examples import events, overview, runs, service, trials, tuners

EXAMPLES: dict[str, Any] = (
    tuners.EXAMPLES | trials.EXAMPLES | runs.EXAMPLES | overview.EXAMPLES | events.EXAMPLES | service.EXAMPLES
)
