"""Whether the service is alive and ready."""

import httpx
import pytest

from tests.calls import answer


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_the_service_says_that_it_is_well(client: httpx.Client, path: str) -> None:
    answer(client.get(path))
