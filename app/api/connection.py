"""A connection, before anything of ours sees what comes over it: heads too large and requests too slow end here.

Uvicorn's own parser waits for ever, takes a head of any size, and for headers what stands behind a body, too.
"""

import http
from asyncio import Transport
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uuid_utils.compat import uuid7
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.api.problems import (
    MEDIA_TYPE,
    AddressTooLong,
    HeadersTooLarge,
    MalformedHttp,
    RequestTimeout,
    render,
    status_of,
)
from app.domain.errors import DomainError

_ADDRESS_BYTES = 2**16 - 1
_HEADERS_BYTES = 16_000
_MOST_HEADERS = 100
_LEAST_BYTES_PER_S = 1_000


class Connection(HttpToolsProtocol):
    """HTTP/1.1 with an end to patience: see `hurry`, which somebody must call now and then."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._is_in_head = self._has_spoken = False
        self._refusal: DomainError | None = None
        self._under_way: RequestResponseCycle | None = None
        self._is_half_closed = False
        self._n_bytes = self._n_beside_body = 0
        self._waits_since: float | None = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # Uvicorn tells the request that came last; the one that is being answered may be another.
        if self._under_way is not None:
            self._under_way.disconnected = True
            self._under_way.message_event.set()

    def data_received(self, data: bytes) -> None:
        self._has_spoken = True
        self._n_bytes += len(data)
        self._n_beside_body += len(data)
        self._unset_keepalive_if_required()
        try:
            self._read(memoryview(data))
        except HttpParserError:
            self._refuse(self._refusal or MalformedHttp())
        if self._n_beside_body > _ADDRESS_BYTES + _HEADERS_BYTES:
            self._refuse(HeadersTooLarge() if self.headers else AddressTooLong())
        elif self._waits_since is None and self._is_idle and self.timeout_keep_alive_task is None:
            # That was no request, but the end of a line, or of a body that was answered before: the patience with a
            # connection that is kept goes on.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """Who has asked may close that half of the connection and listen, as netcat does; else they are gone."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        is_owed_an_answer = cycle is not None and not cycle.more_body and not cycle.response_started
        if is_owed_an_answer:
            self.cycle.keep_alive = False
        return is_owed_an_answer

    def _read(self, data: memoryview) -> None:
        """Speak HTTP/1.1, whatever else somebody would like to, as Java's client does on each new connection.

        A parser passes by the body of such a request, and would take it for the next one; so another one is told of
        the request, without the wish.
        """
        while data:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as wish:
                data = data[wish.args[0] :]
                head = self._head_without_wish()
                self.parser = HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
                self.parser.feed_data(head)
            else:
                return

    def _head_without_wish(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True
        self._n_bytes = self._n_beside_body = 0
        self._waits_since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_head:  # else whoever passed the gate as one could go on as another, in the trailers
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        self._n_beside_body = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        n_bytes = sum(len(name) + len(value) for name, value in self.headers)
        if len(self.url) > _ADDRESS_BYTES:
            self._refusal = AddressTooLong()
        elif n_bytes > _HEADERS_BYTES or len(self.headers) > _MOST_HEADERS:
            self._refusal = HeadersTooLarge()
        elif sum(name == b"host" for name, _ in self.headers) > 1:
            self._refusal = MalformedHttp()  # who stands in between may have gone by the other one
        elif self.parser.get_method() == b"CONNECT":
            self._refusal = MalformedHttp()  # behind it stands what is for somebody else
        if self._refusal is not None:
            raise self._refusal  # the parser stops
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._under_way = cycle
        super()._start_asgi_task(cycle, app if cycle.keep_alive else self._closing_in_stages(cycle, app))

    def _closing_in_stages(self, cycle: RequestResponseCycle, app: ASGI3Application) -> ASGI3Application:
        """Who is still saying something when the answer has been given is not hung up on: they would find the
        connection broken, and not the answer. Only our half is closed, until they have said it, or `hurry` is over."""

        async def answer(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            async def say(message: ASGISendEvent) -> None:
                is_last = message["type"] == "http.response.body" and not message.get("more_body")
                is_early = is_last and cycle.more_body
                if is_early:
                    cycle.keep_alive = True  # uvicorn would hang up
                await send(message)
                if is_early:
                    self._hang_up_on(cycle)

            await app(scope, receive, say)

        return answer

    def _hang_up_on(self, cycle: RequestResponseCycle) -> None:
        self._is_half_closed = cycle.more_body and not self.transport.is_closing()
        if self._is_half_closed:
            self.transport.write_eof()
        else:
            self.transport.close()

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_message_complete()
            self._waits_since = None
            if self._is_half_closed:
                self.transport.close()

    def hurry(self, now: float, patience_s: float) -> None:
        """Hang up on who takes too long to say all of a request: more than so long, and too slow to need it."""
        since = self._waits_since
        if since is not None and now - since > patience_s + self._n_bytes / _LEAST_BYTES_PER_S:
            self._refuse(RequestTimeout())

    def _refuse(self, error: DomainError) -> None:
        """Say why, where nothing is being said, and hang up."""
        self._waits_since = None
        if self.transport.is_closing():
            return
        cycle = cast("RequestResponseCycle | None", self.cycle)
        is_of_this_request = cycle is not None and cycle.more_body and not cycle.response_started
        if self._has_spoken and not self._is_half_closed and (self._is_idle or is_of_this_request):
            self.transport.write(_response(error))
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    @property
    def _is_idle(self) -> bool:
        """Whether nothing is to be answered."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete


def _response(error: DomainError) -> bytes:
    """The whole answer to a request that nothing is known of."""
    request_id = str(uuid7())
    body = render(error, "/", request_id)
    status = status_of(type(error))
    head: dict[str, Any] = {
        "content-type": MEDIA_TYPE,
        "content-length": len(body),
        "connection": "close",
        "x-content-type-options": "nosniff",
        "x-request-id": request_id,
    }
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}", *(f"{name}: {head[name]}" for name in head)]
    return "\r\n".join([*lines, "", ""]).encode() + body
