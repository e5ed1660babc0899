"""Webhooks on the wire: what to call, about which events, and what came of it."""

import binascii
from base64 import b64decode
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema
from typing_extensions import TypeAliasType

from app.api.event_models import EventType
from app.api.fields import Answer, Id, Tag, Text, Time, Wire, drop_default
from app.domain.events import EVENT_TYPES
from app.domain.states import DeliveryState, ObserverState
from app.domain.values import to_rfc3339
from app.store.deliveries import Delivery as DeliveryRow
from app.store.observers import Observer as ObserverRow


def _check_types(types: list[str]) -> list[str]:
    for name in types:
        if name not in EVENT_TYPES:
            raise ValueError(f"no such event type; there are: {', '.join(EVENT_TYPES)}")
    return list(dict.fromkeys(types))


def _check_secret(secret: str) -> str:
    try:
        size = len(b64decode(secret.removeprefix("whsec_"), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if not secret.startswith("whsec_") or not 24 <= size <= 64:
        raise ValueError("a secret is whsec_ and the base64 of 24 to 64 random bytes; leave it out to have one made")
    return secret


_LETTER = "[A-Za-z0-9+/]"
_QUAD = f"({_LETTER}{{4}})"

Url = Annotated[str, StringConstraints(min_length=1, max_length=2000), Field(examples=["https://example.com/hook"])]
Types = Annotated[
    list[EventType],
    Field(max_length=100, description="Which events; all if none is named."),
    AfterValidator(_check_types),
]
Secret = Annotated[
    str,
    StringConstraints(max_length=200),
    AfterValidator(_check_secret),
    Field(
        description="`whsec_` followed by the base64 of 24 to 64 random bytes.",
        json_schema_extra={"pattern": rf"^whsec_({_QUAD}{{8,21}}({_LETTER}{{2}}==)?|{_QUAD}{{8,20}}{_LETTER}{{3}}=)$"},
    ),
]
When = Annotated[Text, Field(description='A filter over the event: `type = "training_end" and ...`.')]


class ObserverRequest(Wire):
    """A webhook to register. Each filter that is given narrows down the events it is called about."""

    url: Url
    types: Types = Field(default_factory=list)
    tuner_id: Id | None = None
    run_id: Id | None = None
    tag: Tag | None = None
    when: When | None = None
    secret: Secret | None = Field(default=None, description="If left out, the service makes one.")


ObserverSwitch = TypeAliasType(
    "ObserverSwitch", Annotated[Literal["on", "off"], Field(description="Whether a webhook is to be called.")]
)


class ObserverPatch(Wire):
    """What to change; null removes a filter."""

    url: Url | SkipJsonSchema[None] = Field(default=None, json_schema_extra=drop_default)
    types: Types | SkipJsonSchema[None] = Field(default=None, json_schema_extra=drop_default)
    tuner_id: Id | None = None
    run_id: Id | None = None
    tag: Tag | None = None
    when: When | None = None
    state: ObserverSwitch | SkipJsonSchema[None] = Field(default=None, json_schema_extra=drop_default)

    @model_validator(mode="after")
    def _refuse_null(self) -> Self:
        for name in ("url", "types", "state"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null; leave it out to keep it")
        return self


class RotateRequest(Wire):
    """A new secret; if left out, the service makes one."""

    secret: Secret | None = None


class Observer(Answer):
    """A webhook. `off_reason` says why it is not called any more."""

    observer_id: Id
    url: str
    types: list[str]
    tuner_id: Id | None
    run_id: Id | None
    tag: str | None
    when: str | None
    state: ObserverState
    off_reason: str | None
    create_time: Time

    @classmethod
    def of(cls, row: ObserverRow) -> Self:
        """The observer as it is shown."""
        return cls.model_validate(_shown(row))


class ObserverWithSecret(Observer):
    """A webhook with its secret, which is shown only this once; a replayed answer has null."""

    secret: str | None

    @classmethod
    def with_secret(cls, row: ObserverRow, secret: str | None) -> Self:
        """The observer as it is shown to whoever made its secret."""
        return cls.model_validate(_shown(row) | {"secret": secret})


def _shown(row: ObserverRow) -> dict[str, object]:
    return {
        "observer_id": row.observer_id,
        "url": row.url,
        "types": row.types,
        "tuner_id": row.tuner_id,
        "run_id": row.run_id,
        "tag": row.tag,
        "when": row.condition,
        "state": row.state,
        "off_reason": row.off_reason,
        "create_time": to_rfc3339(row.create_time),
    }


class ObserverPage(Answer):
    """Observers, newest first."""

    items: list[Observer]
    next_page_token: str | None


class Delivery(Answer):
    """An event on its way to a webhook, or what became of it; without `event_id` it is a test."""

    delivery_id: Id
    event_id: int | None
    state: DeliveryState
    attempts: int
    last_status: int | None = Field(description="The status that the receiver answered last, if any.")
    last_error: str | None
    next_attempt_time: Time | None
    create_time: Time

    @classmethod
    def of(cls, row: DeliveryRow) -> Self:
        """The delivery as it is shown."""
        return cls(
            delivery_id=row.delivery_id,
            event_id=row.event_id,
            state=row.state,
            attempts=row.attempts,
            last_status=row.last_status,
            last_error=row.last_error,
            next_attempt_time=_shown_time(row.next_attempt_time),
            create_time=to_rfc3339(row.create_time),
        )


def _shown_time(time: datetime | None) -> str | None:
    return None if time is None else to_rfc3339(time)


class DeliveryPage(Answer):
    """Deliveries, newest first."""

    items: list[Delivery]
    next_page_token: str | None
