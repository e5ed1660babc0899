"""A real browser, one per test process, in a thread of its own: what drives it keeps an event loop in its thread."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any, TypeVar

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

T = TypeVar("T")

TIMEOUT_MS = 30_000
EXECUTABLES = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]
"""The first one is the same engine without windows and menus, which cost each page three times what it takes itself."""
EXECUTABLE = next((path for name in EXECUTABLES if (path := shutil.which(name))), None)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--renderer-process-limit=1",  # a page shares its process with those that its context has open
]


class Seen:
    """What a page asked for and complained of."""

    def __init__(self, page: Page, url: str) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._url = url
        page.on("request", self._note_request)
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note_request(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((self._url, "data:", "blob:")):
            self.complaints.append(f"a request left the host: {request.url}")

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")


Scenario = Callable[[Page, Seen], T]
_Opened = AbstractContextManager[tuple[Page, Seen]]


class Chromium:
    """The browser. A scenario gets a page of its own; afterwards nothing may have been complained of.

    Pages of one service come one after the other in one context, which forgets what they kept: most of what a page
    costs is its process, and what it reads anew in that.
    """

    def __init__(self) -> None:
        expect.set_options(timeout=TIMEOUT_MS)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="browser")
        self._driver: Any = None
        self._visited: tuple[str, BrowserContext] | None = None
        self._browser: Browser = self._thread.submit(self._launch).result()

    def _launch(self) -> Browser:
        self._driver = sync_playwright().start()
        browser: Browser = self._driver.chromium.launch(executable_path=EXECUTABLE, args=ARGUMENTS)
        return browser

    def run(
        self,
        url: str,
        scenario: Scenario[T],
        *,
        may_complain_of: tuple[str, ...] = (),
        is_alone: bool = False,
        **context: Any,
    ) -> T:
        """What the scenario answers.

        Args:
            url: of the service; requests to anybody else are complaints.
            may_complain_of: parts of complaints that belong to the scenario.
            is_alone: the scenario does something to all pages of its context, such as to their clock.
            context: how a context of its own is made, see `Browser.new_context`.
        """
        make = partial(self._own_page if is_alone or context else self._page, url, **context)
        return self._thread.submit(self._run, make, scenario, may_complain_of).result()

    @contextmanager
    def opened(self, url: str) -> Iterator[Callable[[Scenario[Any]], Any]]:
        """Runs scenarios one after the other in one page, for those that leave it as it was."""
        stack = ExitStack()
        page, seen = self._thread.submit(stack.enter_context, self._own_page(url)).result()
        try:
            yield lambda scenario: self._thread.submit(scenario, page, seen).result()
            assert not seen.complaints, seen.complaints
        finally:
            self._thread.submit(stack.close).result()

    def _run(self, make: Callable[[], _Opened], scenario: Scenario[T], may_complain_of: tuple[str, ...]) -> T:
        with make() as (page, seen):
            answer = scenario(page, seen)
            left = [one for one in seen.complaints if not any(part in one for part in may_complain_of)]
            assert not left, left
        return answer

    def _new_context(self, url: str, **options: Any) -> BrowserContext:
        context = self._browser.new_context(base_url=url, **{"viewport": {"width": 1360, "height": 860}} | options)
        context.set_default_timeout(TIMEOUT_MS)
        return context

    @contextmanager
    def _own_page(self, url: str, **options: Any) -> Iterator[tuple[Page, Seen]]:
        context = self._new_context(url, **options)
        try:
            page = context.new_page()
            yield page, Seen(page, url)
        finally:
            context.close()

    @contextmanager
    def _page(self, url: str) -> Iterator[tuple[Page, Seen]]:
        context = self._context_of(url)
        page = context.new_page()
        try:
            yield page, Seen(page, url)
        except BaseException:
            self._leave()
            raise
        stays, *others = context.pages
        for other in others:
            other.close()
        session = context.new_cdp_session(stays)
        kept = {"origin": stays.evaluate("origin"), "storageTypes": "cookies,local_storage"}
        session.send("Storage.clearDataForOrigin", kept)
        session.detach()
        assert "native" in stays.evaluate("String(Date)"), "who changes the clock must be alone"

    def _context_of(self, url: str) -> BrowserContext:
        if self._visited is None or self._visited[0] != url:
            self._leave()
            context = self._new_context(url)
            self._visited = url, context
            context.new_page().goto("/healthz")  # it stays, and the process with it
        return self._visited[1]

    def _leave(self) -> None:
        if self._visited is not None:
            self._visited[1].close()
            self._visited = None

    def close(self) -> None:
        """End it."""
        self._thread.submit(self._browser.close).result()
        self._thread.submit(self._driver.stop).result()
        self._thread.shutdown()
