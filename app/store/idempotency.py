"""First answers, kept for a day: a request that says its Idempotency-Key again is answered the same, not done again.

The answer is stored in the transaction of its effect, so that there is never one without the other.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text

from app.store.tables import idempotency

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as it went out."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Once:
    """That a request is to be done once.

    Args:
        key: what the client chose.
        request_digest: of the request; another one under the same key is refused.
        render: makes the answer that goes out of what the operation answers.
    """

    key: str
    request_digest: bytes
    render: Callable[[Any], StoredAnswer]

    @property
    def key_digest(self) -> bytes:
        """The key as it is stored."""
        return blake2b(self.key.encode(), digest_size=16).digest()


class Replay(Exception):
    """The request was done before: this is what it was answered then."""

    def __init__(self, answer: StoredAnswer) -> None:
        super().__init__()
        self.answer = answer


def recall(connection: Connection, asked: Collection[Once]) -> dict[bytes, tuple[bytes, StoredAnswer]]:
    """The digest of the request and its answer, for those of the keys that were used, by the key's digest.

    Until the commit nobody else can use any of these keys.
    """
    if not asked:
        return {}
    digests = sorted(once.key_digest for once in asked)
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"digests": digests})
    query = select(idempotency).where(idempotency.c.key_digest.in_(digests))
    return {
        row.key_digest: (row.request_digest, StoredAnswer(row.status, row.headers, row.body))
        for row in connection.execute(query)
    }


# Locks in a fixed order; two keys that share one of the 2**64 locks only wait for each other.
_LOCK = text(
    """
    SELECT pg_advisory_xact_lock(('x' || encode(substring(digest FOR 8), 'hex'))::bit(64)::bigint)
    FROM unnest(:digests ::bytea[]) WITH ORDINALITY AS asked (digest, position)
    ORDER BY position
    """
)


def remember(connection: Connection, now: datetime, answered: Sequence[tuple[Once, StoredAnswer]]) -> None:
    """Store these answers, of which there is at least one."""
    rows = [
        {
            "key_digest": once.key_digest,
            "request_digest": once.request_digest,
            "status": answer.status,
            "headers": answer.headers,
            "body": answer.body,
            "create_time": now,
        }
        for once, answer in answered
    ]
    connection.execute(insert(idempotency), rows)


def forget(connection: Connection, now: datetime, limit: int) -> int:
    """Remove the oldest of the answers that are older than a day, at most `limit`; how many they were."""
    oldest = select(idempotency.c.key_digest).where(idempotency.c.create_time < now - KEPT)
    oldest = oldest.order_by(idempotency.c.create_time).limit(limit)
    return connection.execute(delete(idempotency).where(idempotency.c.key_digest.in_(oldest))).rowcount
