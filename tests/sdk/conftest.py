"""A browser for the widget."""

from tests.dashboard.conftest import chromium

__all__ = ["chromium"]
