"""What `GET /metrics` tells: one registry, to which whoever counts adds its counters (docs/operations.md has them all).

Counted where it happens, in a microsecond or two; what merely is (a queue's length) is looked up when somebody asks.
"""

from collections.abc import Callable
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REGISTRY = CollectorRegistry()

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"})

for collector in (ProcessCollector, PlatformCollector, GCCollector):
    collector(registry=REGISTRY)
Info("tunetrack", "The release that runs.", registry=REGISTRY).info({"version": version("tunetrack")})

_REQUESTS = Counter(
    "tunetrack_http_requests",
    "Requests answered; route is the template, or none.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
_REQUEST_SECONDS = Histogram(
    "tunetrack_http_request_seconds",
    "From a request's coming to the end of its answer.",
    ["method", "route"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
_BATCH_REQUESTS = Histogram(
    "tunetrack_write_batch_requests", "Writes that were committed together.", buckets=_SIZES, registry=REGISTRY
)
_BATCH_SECONDS = Histogram(
    "tunetrack_write_batch_seconds", "From the begin of a batch to its commit.", buckets=_SECONDS, registry=REGISTRY
)
_COMMIT_SECONDS = Histogram(
    "tunetrack_commit_seconds", "The commit of a batch alone.", buckets=_SECONDS, registry=REGISTRY
)
_QUEUE = Gauge("tunetrack_write_queue_length", "Writes that wait for their batch.", registry=REGISTRY)
_STREAMS = Gauge("tunetrack_event_streams", "Event streams that are open and have come up to date.", registry=REGISTRY)
_THINK_SECONDS = Histogram(
    "tunetrack_think_seconds",
    "A strategy's thinking about one suggestion or several at once.",
    ["strategy"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
LEASES_EXPIRED = Counter("tunetrack_leases_expired", "Trials taken from workers that fell silent.", registry=REGISTRY)
RUNS_GIVEN_UP = Counter("tunetrack_runs_given_up", "Runs that fell silent for too long.", registry=REGISTRY)
_DELIVERIES = Counter(
    "tunetrack_webhook_deliveries", "Tries to call webhooks, by what came of them.", ["outcome"], registry=REGISTRY
)

_of_requests: dict[tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}


def count_request(method: str, route: str, status: int, duration_s: float) -> None:
    """A request was answered; status 0 is one whose client went away before."""
    found = _of_requests.get((method, route, status))
    if found is None:
        # Looked up once: to find a counter by its labels takes longer than to count.
        named = method if method in _METHODS else "other"
        found = (
            _REQUESTS.labels(named, route, str(status) if status else "none").inc,
            _REQUEST_SECONDS.labels(named, route).observe,
        )
        if named == method:  # others, anybody could make up without end
            _of_requests[method, route, status] = found
    count, observe = found
    count()
    observe(duration_s)


def count_batch(n_requests: int, batch_s: float, commit_s: float) -> None:
    """A batch was committed."""
    _BATCH_REQUESTS.observe(n_requests)
    _BATCH_SECONDS.observe(batch_s)
    _COMMIT_SECONDS.observe(commit_s)


def count_thinking(strategy: str, duration_s: float) -> None:
    """A strategy has proposed something."""
    _THINK_SECONDS.labels(strategy).observe(duration_s)


def count_delivery(status: int | None, error: str | None) -> None:
    """A webhook was called, or could not be."""
    _DELIVERIES.labels("delivered" if error is None else "unreachable" if status is None else "refused").inc()


def render(n_waiting: int, n_streams: int) -> bytes:
    """All of it, in the text format of Prometheus.

    Args:
        n_waiting: writes that wait for their batch.
        n_streams: event streams that are open.
    """
    _QUEUE.set(n_waiting)
    _STREAMS.set(n_streams)
    return generate_latest(REGISTRY)
