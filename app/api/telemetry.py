"""Traces and metrics by OpenTelemetry: the framework's own, on where the standard OTEL_ variables name a receiver.

Needs the extra `otel`. What leaves is what the framework tells of each request: method, route, status, duration, and
the path with its query; no body, no header, no key.
"""

import os
from importlib.util import find_spec

from fastapi.telemetry import TelemetryConfig

_ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
NOT_INSTALLED = "OTEL_ variables name a receiver, and what sends to it is not installed: pip install 'tunetrack[otel]'"


def is_wanted() -> bool:
    """Whether an operator has named a receiver."""
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not is_off and any(os.environ.get(name) for name in _ENDPOINTS)


def is_installed() -> bool:
    """Whether there is something that can send."""
    try:
        return all(find_spec(f"opentelemetry.{name}") for name in ("sdk", "exporter.otlp.proto.http"))
    except ModuleNotFoundError:
        return False


def configuration() -> TelemetryConfig:
    """What the framework is told."""
    is_on = is_wanted() and is_installed()
    # Logs go to the standard error, whoever wants them elsewhere.
    return {"auto_configure": is_on, "tracing": is_on, "metrics": is_on, "logs": False}
