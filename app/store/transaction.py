"""One group commit under way."""

from datetime import datetime
from functools import cached_property
from uuid import UUID

from sqlalchemy import Connection

from app.domain.events import Event
from app.store import clock, log
from app.store.log import Appended, Record


class Transaction:
    """The connection, the time, and the events recorded so far.

    Events are stored last, all at once: their numbers must rise in commit order, and the lock that
    makes them do so is held from there to the commit.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._records: list[Record] = []

    @cached_property
    def now(self) -> datetime:
        """The database's time, the same for all that happens in this transaction."""
        return clock.now(self.connection)

    def record(self, event: Event, *, tuner_id: UUID | None = None, timestamp: datetime | None = None) -> Record:
        """Store this event with the transaction.

        Args:
            tuner_id: the tuner that the event's run belongs to, where the event does not say itself.
            timestamp: when it happened, if not now.
        """
        record = Record(event, timestamp, getattr(event, "tuner_id", tuner_id))
        self._records.append(record)
        return record

    def store_events(self) -> list[Appended]:
        """Store what was recorded, and answer it as it stands in the log."""
        if not self._records:
            return []
        appended = log.append(self.connection, self._records)
        for record, stored in zip(self._records, appended, strict=True):
            record.event_id = stored.event_id
        return appended
