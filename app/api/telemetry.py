"""Traces and metrics by OpenTelemetry: the framework's own, on where the standard OTEL_ variables name a receiver.

Needs the extra `otel`. What leaves is what the framework tells of each request: method, route, status, duration, and
the path with its query; no body, no header, no key.
"""

import os
from importlib.util import find_spec

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace

_ENDPOINTS = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
_ASKED_ALL_THE_TIME = frozenset({"/healthz", "/readyz", "/metrics"})
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
    if not (is_wanted() and is_installed()):
        return {"auto_configure": False, "tracing": False, "metrics": False, "logs": False}
    if "service.name=" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        os.environ.setdefault("OTEL_SERVICE_NAME", "tunetrack")
    return {
        "auto_configure": True,
        "tracing": True,
        "metrics": True,
        "logs": False,  # they go to the standard error, and hold no more than is said there
        "operation_spans": False,
        "exclude": lambda scope: scope.get("path") in _ASKED_ALL_THE_TIME,
    }


def trace_id() -> str | None:
    """The trace that this request belongs to, where there is one."""
    span = trace.get_current_span().get_span_context()
    return f"{span.trace_id:032x}" if span.is_valid else None
