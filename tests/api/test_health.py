"""Whether the service is alive and ready."""

import httpx
import pytest

from tests.calls import answer


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_the_service_says_that_it_is_well(client: httpx.Client, path: str) -> None:
    answer(client.get(path))


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_whoever_watches_may_ask_for_the_head_alone(client: httpx.Client, path: str) -> None:
    response = client.head(path)
    assert (response.status_code, response.content) == (200, b"")
    answer(client.get(path))  # over the same connection: nothing came after the head
