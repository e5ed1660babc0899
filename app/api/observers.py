"""Webhooks: register, change, test, and see what was delivered.

To look at them needs `admin`, too: the address of many a receiver is all that is needed to call it.
"""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from app.api.fields import parse_id
from app.api.observer_models import (
    Delivery,
    DeliveryPage,
    Observer,
    ObserverPage,
    ObserverPatch,
    ObserverRequest,
    ObserverWithSecret,
    RotateRequest,
)
from app.api.once import IDEMPOTENCY_KEY, declared_once, show, write_once
from app.api.pages import ID, TIME_AND_ID, PageSize, PageToken, read_token, split, write_token
from app.api.problems import BODY_ERRORS, declared
from app.api.state import services
from app.api.strict import needs, new_router
from app.domain.access import Scope
from app.domain.errors import (
    BadFilter,
    InvalidRequest,
    NoSecretKey,
    UnknownDelivery,
    UnknownObserver,
    WebhookUrlNotAllowed,
)
from app.domain.states import DeliveryState, ObserverState
from app.service import condition
from app.service.observe import (
    Change,
    OfObserver,
    Redeliver,
    Register,
    Rotate,
    add_test,
    change,
    redeliver,
    register,
    remove,
    rotate,
    seal_secret,
)
from app.service.vault import new_secret
from app.store import deliveries, observers
from app.store.deliveries import Delivery as DeliveryRow
from app.store.observers import Observer as ObserverRow

router = new_router("observers")

_NOTHING_SAID = RotateRequest()


@router.post(
    "/observers",
    status_code=201,
    response_model=ObserverWithSecret,
    openapi_extra=IDEMPOTENCY_KEY,
    responses=declared_once(WebhookUrlNotAllowed, BadFilter, NoSecretKey),
)
async def register_observer(request: Request, body: ObserverRequest) -> Response:
    """Register a webhook: it is called about events from now on, signed as in Standard Webhooks."""
    parts = services(request)
    condition.check(body.when, body.types)
    await parts.guard.check(body.url)
    secret = body.secret or new_secret()
    wanted = Register(
        url=body.url,
        types=body.types,
        tuner_id=body.tuner_id,
        run_id=body.run_id,
        tag=body.tag,
        condition=body.when,
        sealed_secrets=seal_secret(parts.vault, secret),
    )

    def shown(observer: ObserverRow, secret: str | None = secret) -> Response:
        location = {"Location": f"/v1/observers/{observer.observer_id}"}
        return show(ObserverWithSecret.with_secret(observer, secret), 201, location)

    answer = await write_once(request, register, wanted, shown, kept=lambda observer: shown(observer, None))
    parts.look_at_webhooks()
    return answer


@router.get("/observers", responses=declared(InvalidRequest))
@needs(Scope.admin)
async def list_observers(request: Request, page_size: PageSize = 50, page_token: PageToken = None) -> ObserverPage:
    """List webhooks, newest first."""
    after = read_token(page_token, TIME_AND_ID)
    found = await services(request).database.read(observers.list_page, after, page_size + 1)
    page, token = split(found, page_size, lambda one: write_token((one.create_time, one.observer_id)))
    return ObserverPage(items=[Observer.of(observer) for observer in page], next_page_token=token)


@router.get("/observers/{observer_id}", responses=declared(UnknownObserver, InvalidRequest))
@needs(Scope.admin)
async def get_observer(request: Request, observer_id: str) -> Observer:
    """Get one webhook."""
    found = await services(request).database.read(observers.get, parse_id(observer_id, UnknownObserver))
    return Observer.of(found)


@router.patch(
    "/observers/{observer_id}",
    response_model=Observer,
    responses=declared(*BODY_ERRORS, UnknownObserver, InvalidRequest, WebhookUrlNotAllowed, BadFilter),
)
async def change_observer(request: Request, observer_id: str, body: ObserverPatch) -> Response:
    """Change a webhook. One that is switched on again continues where it stopped, and misses nothing."""
    parts = services(request)
    fields = {name: getattr(body, name) for name in body.model_fields_set}
    if "url" in fields:
        await parts.guard.check(fields["url"])
    if "state" in fields:
        fields["state"] = ObserverState(fields["state"])
    if "when" in fields:
        fields["condition"] = fields.pop("when")
    wanted = parse_id(observer_id, UnknownObserver)
    changed = await parts.database.write(change, Change(wanted, fields, parts.reached_for_webhook(wanted)))
    parts.look_at_webhooks()
    return show(Observer.of(changed))


@router.delete(
    "/observers/{observer_id}",
    status_code=204,
    response_class=Response,
    responses=declared(UnknownObserver, InvalidRequest),
)
async def delete_observer(request: Request, observer_id: str) -> Response:
    """Delete a webhook and its deliveries."""
    wanted = OfObserver(parse_id(observer_id, UnknownObserver))
    while await services(request).database.write(remove, wanted):
        pass  # there is more
    return Response(status_code=204)


@router.post(
    "/observers/{observer_id}/rotate",
    response_model=ObserverWithSecret,
    openapi_extra=IDEMPOTENCY_KEY,
    responses=declared_once(UnknownObserver, NoSecretKey),
)
async def rotate_secret(request: Request, observer_id: str, body: RotateRequest = _NOTHING_SAID) -> Response:
    """Give a webhook a new secret. For a day the previous one signs too: each call then has two signatures."""
    secret = body.secret or new_secret()
    wanted = Rotate(parse_id(observer_id, UnknownObserver), services(request).vault, secret)
    return await write_once(
        request,
        rotate,
        wanted,
        lambda observer: show(ObserverWithSecret.with_secret(observer, secret)),
        kept=lambda observer: show(ObserverWithSecret.with_secret(observer, None)),
    )


@router.post(
    "/observers/{observer_id}/test",
    status_code=202,
    response_model=Delivery,
    openapi_extra=IDEMPOTENCY_KEY,
    responses=declared_once(UnknownObserver),
)
async def test_observer(request: Request, observer_id: str) -> Response:
    """Send a test to a webhook, even if it is off; its deliveries show the outcome."""
    wanted = OfObserver(parse_id(observer_id, UnknownObserver))
    answer = await write_once(request, add_test, wanted, _show_accepted)
    services(request).look_at_webhooks()
    return answer


@router.get("/observers/{observer_id}/deliveries", responses=declared(UnknownObserver, InvalidRequest))
@needs(Scope.admin)
async def list_deliveries(
    request: Request,
    observer_id: str,
    states: Annotated[list[DeliveryState] | None, Query(alias="state", description="Only in these states.")] = None,
    page_size: PageSize = 50,
    page_token: PageToken = None,
) -> DeliveryPage:
    """List what was sent to a webhook, or is to be, newest first; kept for 30 days."""
    observer = parse_id(observer_id, UnknownObserver)
    after: UUID | None = read_token(page_token, ID)
    database = services(request).database
    await database.read(observers.get, observer)
    found = await database.read(deliveries.list_page, observer, states or [], after, page_size + 1)
    page, token = split(found, page_size, lambda one: write_token(one.delivery_id))
    return DeliveryPage(items=[Delivery.of(delivery) for delivery in page], next_page_token=token)


@router.post(
    "/observers/{observer_id}/deliveries/{delivery_id}/redeliver",
    status_code=202,
    response_model=Delivery,
    openapi_extra=IDEMPOTENCY_KEY,
    responses=declared_once(UnknownObserver, UnknownDelivery),
)
async def redeliver_event(request: Request, observer_id: str, delivery_id: str) -> Response:
    """Send a delivery again now, with a fresh set of attempts; if the webhook is off, once it is on."""
    wanted = Redeliver(parse_id(observer_id, UnknownObserver), parse_id(delivery_id, UnknownDelivery))
    answer = await write_once(request, redeliver, wanted, _show_accepted)
    services(request).look_at_webhooks()
    return answer


def _show_accepted(delivery: DeliveryRow) -> Response:
    return show(Delivery.of(delivery), 202)
