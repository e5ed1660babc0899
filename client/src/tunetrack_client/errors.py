"""What can go wrong, by the codes of the service's problem documents.

    TunetrackError
    ├── Unavailable           no answer, or one that says "not now": the same again may work later
    └── Refused               the service said no; `code`, `status`, `detail` and `problem` tell more
        ├── NotFound          UnknownTuner, UnknownTrial, UnknownRun, UnknownObserver, NoSuchPath
        ├── Invalid           InvalidRequest, InvalidSpace, ParamsOutOfSpace, UnknownStrategy, MissingObjective, …
        ├── Conflict          DuplicateMetricKey, IdConflict, RunEnded, TrialEnded, TunerStopped, LeaseLost, …
        ├── NotAllowed        Unauthorized, Forbidden, HostNotAllowed, OriginNotAllowed
        └── ServiceFailed     CorruptState, Internal

The class of a code is found by its name: `lease-lost` is `LeaseLost`. A code that this version does not know
is raised as `Refused` itself.
"""

import re
from typing import Any


class TunetrackError(Exception):
    """Anything that the service, or the way to it, makes go wrong."""


class Unavailable(TunetrackError):
    """The service gave no answer, or said "not now"; nothing is known of what was sent; try again later."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Refused(TunetrackError):
    """The service said no, and would say it again.

    Args:
        problem: the problem document (RFC 9457), whole: facts such as `epoch`, `name` or `known` are in it.
    """

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(f"{problem['detail']} ({problem['code']})")
        self.problem = problem
        self.code: str = problem["code"]
        self.status: int = problem["status"]
        self.detail: str = problem["detail"]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pools of processes bring it to whoever started them; one that could not be read there would hang a pool."""
        return type(self), (self.problem,)


class NotFound(Refused):
    """There is no such thing (404)."""


class UnknownTuner(NotFound):
    """There is no such tuner."""


class UnknownTrial(NotFound):
    """There is no such trial."""


class UnknownRun(NotFound):
    """There is no such run."""


class UnknownObserver(NotFound):
    """There is no such observer."""


class UnknownDelivery(NotFound):
    """There is no such delivery."""


class NoSuchPath(NotFound):
    """The service has nothing at this path (`not-found`)."""


class Invalid(Refused):
    """The request makes no sense as it is."""


class InvalidRequest(Invalid):
    """A field has a value that is not allowed; `problem["errors"]` names it."""


class InvalidSpace(Invalid):
    """The space makes no sense; `problem["name"]` is the parameter."""


class ParamsOutOfSpace(Invalid):
    """These parameters lie outside of the tuner's space."""


class UnknownStrategy(Invalid):
    """There is no such strategy; `problem["known"]` lists those that exist."""


class MissingObjective(Invalid):
    """A run of a trial finished without the metric that its tuner looks at."""


class BadFilter(Invalid):
    """A filter that does not parse; `problem["position"]` is where."""


class IdempotencyKeyReused(Invalid):
    """The Idempotency-Key was used for another request."""


class WebhookUrlNotAllowed(Invalid):
    """Webhooks may not go to this address."""


class MalformedJson(Invalid):
    """The body is not JSON."""


class MalformedHttp(Invalid):
    """What came is not HTTP/1.1."""


class AddressTooLong(Invalid):
    """The address with its query is longer than the service takes."""


class HeadersTooLarge(Invalid):
    """The headers are larger than the service takes."""


class MethodNotAllowed(Invalid):
    """The path does not take this method."""


class UnsupportedMediaType(Invalid):
    """The body is not sent as JSON."""


class TooLarge(Invalid):
    """The request is larger than the service takes."""


class Conflict(Refused):
    """The request contradicts what is stored."""


class DuplicateMetricKey(Conflict):
    """The metric has another value for this epoch already."""


class IdConflict(Conflict):
    """The id, or the key, is taken by something that was created otherwise; `problem["differs"]` names what."""


class RunEnded(Conflict):
    """The run has ended and cannot change."""


class TrialEnded(Conflict):
    """The trial has ended with another result and cannot change."""


class TunerStopped(Conflict):
    """The tuner was stopped, which is final."""


class LeaseLost(Conflict):
    """Another worker holds the trial now."""


class ParamExists(Conflict):
    """The run has this param with another value."""


class NoSecretKey(Conflict):
    """The service cannot keep the secret of a webhook: it has no key to encrypt it with."""


class PreconditionFailed(Conflict):
    """It has changed since it was read."""


class NotAllowed(Refused):
    """The service does not do this for who asks, or from where; see to the key or the address."""


class Unauthorized(NotAllowed):
    """There is no key, or none that is known."""


class Forbidden(NotAllowed):
    """The key has not the right for this."""


class HostNotAllowed(NotAllowed):
    """The service does not answer under this host name."""


class OriginNotAllowed(NotAllowed):
    """The service does not answer pages of this origin."""


class ServiceFailed(Refused):
    """The service failed; `problem["request_id"]` finds it in its log."""


class CorruptState(ServiceFailed):
    """Something stored cannot be read back."""


class Internal(ServiceFailed):
    """Something that nobody thought of."""


TEMPORARY = frozenset(
    {"rate-limited", "request-timeout", "store-busy", "not-ready", "storage-full", "idempotency-in-progress"}
)
"""Codes that say "not now": they become `Unavailable`."""


def _code_of(kind: type[Refused]) -> str:
    return "not-found" if kind is NoSuchPath else re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower()


def _leaves(kind: type[Refused]) -> list[type[Refused]]:
    return [leaf for child in kind.__subclasses__() for leaf in (_leaves(child) or [child])]


BY_CODE: dict[str, type[Refused]] = {_code_of(kind): kind for kind in _leaves(Refused)}
"""The class of each code that this version knows."""


def refused(problem: dict[str, Any]) -> Refused:
    """The exception for a problem document."""
    return BY_CODE.get(problem["code"], Refused)(problem)
