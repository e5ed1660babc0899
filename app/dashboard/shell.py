"""The static files of the dashboard, held in memory: what is not among them cannot be asked for."""

import gzip
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

STATIC = Path(__file__).parent / "static"

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",  # the icon; a chart on its way to a PNG
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # a string never becomes markup
        "trusted-types 'none'",
    )
)

# What every answer has besides, the gate adds.
_HEADERS = {"Vary": "Accept-Encoding"}
_PAGE_HEADERS = _HEADERS | {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-cache"}
# The address names the content, so that what was fetched once is good for ever.
_ASSET_HEADERS = _HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it goes out."""

    content: bytes
    packed: bytes
    etag: str
    media_type: str

    @classmethod
    def of(cls, name: str, content: bytes) -> "_File":
        return cls(
            content, gzip.compress(content, 9, mtime=0), f'"{_digest(content)}"', _MEDIA_TYPES[Path(name).suffix]
        )

    def respond(self, request: Request, headers: dict[str, str]) -> Response:
        """The file, or that it has not changed."""
        headers = headers | {"ETag": self.etag}
        known = request.headers.get("if-none-match", "")
        if self.etag in (one.strip().removeprefix("W/") for one in known.split(",")):
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=self.media_type)
        return Response(self.content, headers=headers, media_type=self.media_type)


def routes() -> list[BaseRoute]:
    """The page at /, and its files."""
    contents = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.suffix in _MEDIA_TYPES}
    version = _digest(b"\0".join(name.encode() + b"\0" + content for name, content in contents.items()))
    # Without a slash before it: behind a proxy the page may lie below a path.
    page = _File.of("index.html", contents.pop("index.html").replace(b"{assets}", f"dashboard/{version}".encode()))
    files = {name: _File.of(name, content) for name, content in contents.items()}

    async def get_page(request: Request) -> Response:
        return page.respond(request, _PAGE_HEADERS)

    async def get_file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in files:
            raise HTTPException(404)
        if request.path_params["version"] != version:  # of an older page: let it have what there is, and not keep it
            return files[name].respond(request, _HEADERS | {"Cache-Control": "no-cache"})
        return files[name].respond(request, _ASSET_HEADERS)

    return [Route("/", get_page), Route("/dashboard/{version}/{name}", get_file)]


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=8).hexdigest()
