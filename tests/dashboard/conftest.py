"""The one browser of a test process, and what it looks at."""

import warnings
from collections.abc import Iterator

import pytest

from tests.dashboard import browser
from tests.dashboard.browser import Chromium

_LEFT_OUT = """
**********************************************************************************************
*  NO BROWSER: the dashboard is NOT tested here. Install one: apt-get install -y chromium     *
**********************************************************************************************
"""


@pytest.fixture
def backend() -> str:
    """What the browser shows and does is the same on any database; the rest of the suite tests both."""
    return "sqlite"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """A real browser; where there is none the test is left out, loudly."""
    if browser.EXECUTABLE is None:
        pytest.skip(_LEFT_OUT)
    with warnings.catch_warnings():
        opened = Chromium()
    yield opened
    opened.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once more what was left out, where everybody looks."""
    if any("NO BROWSER" in str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])):
        terminalreporter.write(_LEFT_OUT, red=True, bold=True)
