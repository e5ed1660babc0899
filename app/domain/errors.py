"""What can go wrong, in the words of the domain.

    DomainError
    ├── NotFound       UnknownTuner, UnknownTrial, UnknownRun, UnknownObserver, UnknownDelivery
    ├── Invalid        InvalidRequest, InvalidSpace, ParamsOutOfSpace, UnknownStrategy, MissingObjective,
    │                  IdempotencyKeyReused, WebhookUrlNotAllowed, BadFilter
    ├── Conflict       DuplicateMetricKey, IdConflict, RunEnded, TrialEnded, TunerStopped, LeaseLost, ParamExists,
    │                  PreconditionFailed, IdempotencyInProgress, NoSecretKey
    ├── Refused        Unauthorized, Forbidden, RateLimited
    ├── Unavailable    StoreBusy, NotReady, StorageFull
    └── CorruptState

The class says what the caller should do next, its docstring is the default message, and `facts` are
what a program needs to know (they become members of the problem document). Nothing here knows of HTTP.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID


class DomainError(Exception):
    """Something the service refuses or cannot do."""

    def __init__(self, detail: str | None = None, **facts: Any) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.facts = facts
        super().__init__(self.detail)


class NotFound(DomainError):
    """There is no such thing; check the id."""


class UnknownTuner(NotFound):
    """There is no such tuner."""

    def __init__(self, tuner_id: UUID | str) -> None:
        super().__init__(f"There is no tuner {tuner_id}. GET /v1/tuners lists those that exist.")


class UnknownTrial(NotFound):
    """There is no such trial."""

    def __init__(self, trial_id: UUID | str, detail: str | None = None) -> None:
        super().__init__(
            detail or f"There is no trial {trial_id} here. GET /v1/tuners/{{tuner_id}}/trials lists a tuner's trials."
        )


class UnknownRun(NotFound):
    """There is no such run."""

    def __init__(self, run_id: UUID | str) -> None:
        super().__init__(f"There is no run {run_id}. GET /v1/runs lists those that exist.")


class UnknownObserver(NotFound):
    """There is no such observer."""

    def __init__(self, observer_id: UUID | str) -> None:
        super().__init__(f"There is no observer {observer_id}. GET /v1/observers lists those that exist.")


class UnknownDelivery(NotFound):
    """There is no such delivery."""

    def __init__(self, delivery_id: UUID | str) -> None:
        super().__init__(
            f"There is no delivery {delivery_id} here. GET /v1/observers/{{observer_id}}/deliveries lists an "
            "observer's deliveries."
        )


class Invalid(DomainError):
    """The request makes no sense as it is; change it."""


class InvalidRequest(Invalid):
    """A field of the request has a value that is not allowed; `errors` names it.

    Args:
        loc: where in the request, outermost first.
    """

    def __init__(self, message: str, *loc: str | int) -> None:
        super().__init__(message, errors=[{"loc": list(loc), "message": message}])


class BadFilter(Invalid):
    """The filter does not parse; `position` is the character, from 0, where it goes wrong."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(f"The filter goes wrong at character {position}: {reason}.", position=position)
        self.reason = reason


class InvalidSpace(Invalid):
    """The space makes no sense; `name` is the parameter."""

    def __init__(self, message: str, name: str | None = None) -> None:
        super().__init__(f"Parameter {name!r}: {message}" if name is not None else message, name=name)


class ParamsOutOfSpace(Invalid):
    """These parameters lie outside of the tuner's space; `name` is the first that does."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(f"Parameter {name!r}: {message}", name=name)


class UnknownStrategy(Invalid):
    """There is no such strategy; `known` lists those that exist."""

    def __init__(self, strategy: str, known: Sequence[str]) -> None:
        super().__init__(f"There is no strategy {strategy!r}. Known are: {', '.join(known)}.", known=list(known))


class MissingObjective(Invalid):
    """A finished run of a trial needs the objective's metric."""

    def __init__(self, metric: str) -> None:
        super().__init__(
            f"The trial's tuner optimises {metric!r}, which this run never logged: put it into final_metrics, "
            "or end the run as failed.",
            metric=metric,
        )


class IdempotencyKeyReused(Invalid):
    """This Idempotency-Key was used for another request; send a new one with each new request."""


class WebhookUrlNotAllowed(Invalid):
    """This address is not one that a webhook may call."""


class Conflict(DomainError):
    """The request contradicts what is stored; look at the present state before you send anything else."""


class DuplicateMetricKey(Conflict):
    """This metric has another value for this epoch already; nothing of the request was stored."""

    def __init__(self, epoch: int, key: str, stored: float | str, sent: float | str) -> None:
        super().__init__(
            f"Epoch {epoch} has {key} = {stored} already; {sent} was sent. Nothing of this request was stored. "
            "Log a corrected value under another key or epoch.",
            epoch=epoch,
            key=key,
            stored=stored,
            sent=sent,
        )


class IdConflict(Conflict):
    """This id is taken by something that was created with another body; choose another id, or none.

    Args:
        differs: fields that are otherwise now; none where what was edited since hides it.
    """

    def __init__(self, differs: Sequence[str] = ()) -> None:
        what = f"differs in {', '.join(differs)}" if differs else "was another body"
        todo = "Send that again, and PATCH what is to change, or choose another id"
        super().__init__(f"This id is taken: what was sent first {what}. {todo}.", differs=list(differs))


class RunEnded(Conflict):
    """The run has ended and cannot change; start a new one."""


class TrialEnded(Conflict):
    """The trial has ended with another result and cannot change."""


class TunerStopped(Conflict):
    """The tuner was stopped, which is final; create a new one, and import its trials if it should learn from them."""


class LeaseLost(Conflict):
    """Another worker holds the trial now: drop this training, and ask the tuner for another trial."""


class ParamExists(Conflict):
    """The run has this param with another value; params may be added while it runs, never changed."""


class PreconditionFailed(Conflict):
    """It has changed since this ETag was answered; read it again, and send the change with the new one."""


class IdempotencyInProgress(Conflict):
    """The first request with this Idempotency-Key is still under way; ask again after a moment."""


class NoSecretKey(Conflict):
    """Secrets of webhooks are stored encrypted, and this service has no key; restart it with TUNETRACK_SECRET_KEY."""


class Refused(DomainError):
    """Whoever asks may not do this, or not now."""


class Unauthorized(Refused):
    """A key is needed: as Authorization: Bearer tunetrack_…, or in TUNETRACK_KEY; `tunetrack keys create` makes one."""


class Forbidden(Refused):
    """This key does not allow that; `needs` is the scope that would."""

    def __init__(self, needs: str, has: str) -> None:
        super().__init__(f"This needs a key of scope {needs}; yours has scope {has}.", needs=needs)


class RateLimited(Refused):
    """Too many requests; wait, and send fewer."""

    def __init__(self, retry_after_s: int, detail: str | None = None) -> None:
        super().__init__(
            detail or f"Too many requests: wait {retry_after_s} s, and send fewer.", retry_after_s=retry_after_s
        )


class Unavailable(DomainError):
    """The service cannot do it now; nothing was changed; try again later."""


MAY_BE_DONE = (
    "it may be done or not. Send the same again: under the same Idempotency-Key, or an id of your own, it is done once."
)
"""The end of what is said where the store has not answered."""


class StoreBusy(Unavailable):
    """The store is too busy or away; nothing was changed; try again after a moment."""


class NotReady(Unavailable):
    """The service cannot work now, for the reasons in `checks`; ask another replica, or wait."""


class StorageFull(Unavailable):
    """There is no room left on the disk of the store; nothing was changed; reads still work."""


class CorruptState(DomainError):
    """Something stored cannot be read back."""
