"""The ASGI application: routers, error handlers, the OpenAPI document."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypedDict

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope

from app.api import (
    analysis,
    compare,
    curves,
    docs,
    events,
    export,
    observers,
    operations,
    overview,
    problems,
    run_search,
    runs,
    session,
    telemetry,
    trials,
    tuners,
)
from app.api.event_models import Event
from app.api.examples import EXAMPLES
from app.api.fields import NON_FINITE
from app.api.gate import Gate, Rules
from app.api.goal_models import STOPPER_SCHEMAS
from app.api.headers import name_headers
from app.api.maps import spell_out
from app.api.problems import MethodNotAllowed, Problem
from app.api.state import Services
from app.api.strict import StrictRoute
from app.api.wording import word
from app.domain.access import Scope
from app.domain.errors import DomainError


class State(TypedDict):
    """What the lifespan hands to every request."""

    services: Services


Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[State]]

_DESCRIPTION = """Hyperparameter tuning and experiment tracking as one small service.

Ask a tuner what to try next, track the training run, log each epoch, end the run: its result is the trial's.
Every write is safe to repeat. Every error is a problem document (RFC 9457) with a `code`.
"""
# What stands below /runs goes before /runs/{run_id}.
_NOUNS = (
    compare,
    export,
    runs,
    run_search,
    curves,
    trials,
    tuners,
    analysis,
    events,
    overview,
    observers,
    session,
    operations,
    docs,
)


def build(lifespan: Lifespan | None, version: str, rules: Rules) -> FastAPI:
    """The application behind its gate; the lifespan brings the services to life."""
    app = FastAPI(
        title="tunetrack",
        version=version,
        description=_DESCRIPTION,
        lifespan=lifespan,
        telemetry=telemetry.configuration(),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        exception_handlers={
            DomainError: problems.on_domain_error,
            RequestValidationError: problems.on_invalid_request,
            404: problems.on_no_such_path,
            405: _on_method_not_allowed,
            Exception: problems.on_failure,
        },
    )
    for noun in _NOUNS:
        # Flat, and the hot ones first: each nested router is matched twice, for every request.
        app.router.routes.extend(noun.router.routes)
    app.add_middleware(Gate, rules=rules)
    if rules.origins:
        app.add_middleware(
            _ListedSites,
            allow_origins=sorted(rules.origins_as_sent),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["ETag", "Location", "X-Request-ID", "Retry-After", "Idempotent-Replayed"],
        )
    app.add_route("/openapi.json", docs.get_document, include_in_schema=False)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]  # the way that the framework documents
    return app


class _ListedSites(CORSMiddleware):
    """Speaks to these sites. What others ask is answered as it would be if none were listed: with a problem."""

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        origin = Headers(scope=scope).get("origin", "") if scope["type"] == "http" else ""
        answer = super().__call__ if self.is_allowed_origin(origin) else self.app
        await answer(scope, receive, send)


async def _on_method_not_allowed(request: Request, _: Exception) -> Response:
    """A route fits, but for its method; with all those that the path takes."""
    routes = [route for noun in _NOUNS for route in noun.router.routes if isinstance(route, APIRoute)]
    fitting = [route for route in routes if route.path_regex.match(request.url.path)]
    # Only those of the first: what is called like a run (`compare`) is none.
    methods = {method for route in fitting if route.path == fitting[0].path for method in route.methods or ()}
    if "GET" in methods or not methods:
        methods |= {"GET", "HEAD"}
    return problems.respond(request, MethodNotAllowed(), {"Allow": ", ".join(sorted(methods))})


def _document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the schemas that no route's model names: problems and events."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            openapi_version="3.1.0",
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for name, kind in (("Problem", TypeAdapter(Problem)), ("Event", TypeAdapter(Event))):
            schemas[name] = kind.json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(schemas[name].pop("$defs", {}))
        schemas.update(STOPPER_SCHEMAS)
        schemas["NonFinite"] = NON_FINITE
        schemas["Number"]["anyOf"][0] = {"$ref": "#/components/schemas/NonFinite"}
        references = {name: f"#/components/schemas/{name}" for name in STOPPER_SCHEMAS}
        by_type = {schema["properties"]["type"]["const"]: references[name] for name, schema in STOPPER_SCHEMAS.items()}
        schemas["Stopper"] = {
            "description": "A rule that ends hopeless runs early; `type` says which.",
            "oneOf": [{"$ref": reference} for reference in references.values()],
            "discriminator": {"propertyName": "type", "mapping": by_type},
        }
        document["components"]["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer", "description": "A key made by `tunetrack keys create`."}
        }
        for route in app.routes:
            if isinstance(route, StrictRoute):
                for method in route.methods or ():
                    operation = document["paths"][route.path][method.lower()]
                    _tell_of_gate(operation, route.needed_scope, is_reading=method == "GET")
        for name, example in EXAMPLES.items():
            schemas[name]["examples"] = [example]
        spell_out(document)
        word(document)
        name_headers(document)
        document["components"]["schemas"] = dict(sorted(schemas.items()))
        app.openapi_schema = document
    return app.openapi_schema


def _tell_of_gate(operation: dict[str, Any], needed: Scope | None, *, is_reading: bool) -> None:
    """Say of an operation what key it needs, and what may be answered before it is asked."""
    if needed is not None:
        operation["security"] = [{"key": [needed]}]
    responses = operation["responses"]
    problems.declare(responses, problems.errors_anywhere(needed, is_reading=is_reading))
    operation["responses"] = dict(sorted(responses.items()))
