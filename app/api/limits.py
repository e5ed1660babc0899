"""How much each who asks may have: requests in a time, streams at once. Each process counts for itself."""

import math
import time
from collections import Counter, OrderedDict

from app.domain.errors import RateLimited

Header = tuple[bytes, bytes]

_BURST_S = 2.0
_MOST_BUCKETS = 10_000
_STREAM_RETRY_AFTER_S = 10


class Rate:
    """A bucket of tokens for each who asks: as many as come in two seconds, and one a request.

    What is left is told as `RateLimit` and `RateLimit-Policy` say it.
    Source: IETF draft-ietf-httpapi-ratelimit-headers-11.
    """

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._most = max(1.0, _BURST_S * per_s)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        window_s = math.ceil(self._most / per_s)
        self._policy = (b"ratelimit-policy", b'"requests";q=%d;w=%d' % (self._most, window_s))

    def take(self, who: str) -> tuple[list[Header], int]:
        """One token: the headers that tell what is left, and how many seconds to wait for one if there was none."""
        now = time.monotonic()
        left, since = self._buckets.pop(who, (self._most, now))
        left = min(self._most, left + (now - since) * self._per_s)
        wait_s = 0 if left >= 1 else max(1, math.ceil((1 - left) / self._per_s))
        left -= 0 if wait_s else 1
        self._buckets[who] = (left, now)
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        full_in_s = math.ceil((self._most - left) / self._per_s)
        return [self._policy, (b"ratelimit", b'"requests";r=%d;t=%d' % (left, full_in_s))], wait_s


class Streams:
    """How many streams each who asks has open.

    Args:
        most: of each; 0 is without limit.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def enter(self, who: str) -> None:
        """One more.

        Raises:
            RateLimited: that would be too many.
        """
        if 0 < self._most <= self._open[who]:
            raise RateLimited(
                _STREAM_RETRY_AFTER_S,
                f"You have {self._most} event streams open, which is the limit: close some, or let one program "
                "read for many.",
            )
        self._open[who] += 1

    def leave(self, who: str) -> None:
        """One less."""
        self._open[who] -= 1
        if not self._open[who]:
            del self._open[who]
