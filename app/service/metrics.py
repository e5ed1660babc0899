"""What `GET /metrics` tells: one registry, to which whoever counts adds its counters."""

from prometheus_client import CollectorRegistry, generate_latest

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REGISTRY = CollectorRegistry()


def render() -> bytes:
    """All counters, in the text format of Prometheus."""
    return generate_latest(REGISTRY)
