"""What the service logs, on its standard error: lines for people, or JSON for machines.

All parts log through the standard library. A request is one line, at level `info`: its id, method, route, status and
time; never its body, its query or its key.
"""

import logging
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from structlog.typing import Processor


class Format(StrEnum):
    """How a line looks."""

    console = "console"
    json = "json"


class Level(StrEnum):
    """From which weight on something is logged; `info` has each request."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


def configure(level: Level, form: Format) -> None:
    """Log from this level on, in this form."""
    import structlog  # here, so that the words above cost nothing
    from structlog.dev import plain_traceback
    from structlog.stdlib import ExtraAdder, ProcessorFormatter

    common: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    final: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_to_json)]
        if form is Format.json
        # Traces without what the variables held, which may be keys and bodies.
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain_traceback)]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        ProcessorFormatter(foreign_pre_chain=common, processors=[ProcessorFormatter.remove_processors_meta, *final])
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of each request that it makes


def _to_json(line: Any, **_: Any) -> str:
    return orjson.dumps(line, default=str).decode()
