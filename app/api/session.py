"""A browser signs in with a key, and keeps it in a cookie that no script can read and no other site can send."""

from fastapi import Request, Response
from pydantic import Field

from app.api.fields import Answer, Wire
from app.api.gate import cookie_name
from app.api.problems import BODY_ERRORS, declared
from app.api.state import services
from app.api.strict import needs, new_router
from app.domain.access import Scope
from app.domain.errors import InvalidRequest, StoreBusy, Unauthorized

router = new_router("session")

_THIRTY_DAYS_S = 30 * 86_400


class SignInRequest(Wire):
    """The key to sign in with."""

    key: str = Field(max_length=200, examples=["tunetrack_…"])


class Session(Answer):
    """Who is signed in, and what they may do."""

    name: str
    scope: Scope


@router.post(
    "/session", response_model=Session, responses=declared(*BODY_ERRORS, InvalidRequest, Unauthorized, StoreBusy)
)
@needs(None)
async def sign_in(request: Request, body: SignInRequest) -> Response:
    """Sign in: keep a key in a cookie of this browser."""
    grant = await services(request).key_ring.admit(body.key)
    answer = Response(Session(name=grant.name, scope=grant.scope).model_dump_json(), media_type="application/json")
    forwarded = request.headers.get("x-forwarded-proto", request.url.scheme)
    answer.set_cookie(
        _cookie(request),
        body.key,
        max_age=_THIRTY_DAYS_S,
        httponly=True,
        samesite="strict",
        secure=forwarded == "https",
    )
    return answer


@router.get("/session", responses=declared(InvalidRequest, Unauthorized, StoreBusy))
@needs(None)
async def get_session(request: Request) -> Session:
    """Show who this browser or key is signed in as."""
    grant = await services(request).key_ring.admit(request.state.key)
    return Session(name=grant.name, scope=grant.scope)


@router.delete("/session", status_code=204, responses=declared(InvalidRequest))
@needs(None)
async def sign_out(request: Request, response: Response) -> None:
    """Sign out: forget the key."""
    response.delete_cookie(_cookie(request), httponly=True, samesite="strict")


def _cookie(request: Request) -> str:
    return cookie_name(request.headers.get("host", ""))
