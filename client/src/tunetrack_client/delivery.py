"""Messages on their way, and what becomes of them."""

import logging
from collections import Counter
from typing import Any, Protocol
from weakref import WeakValueDictionary

from tunetrack_client.connection import Connection
from tunetrack_client.errors import LeaseLost, NotAllowed, Refused, ServiceFailed, Unavailable, UnknownRun, UnknownTrial
from tunetrack_client.message import Request, fold

log = logging.getLogger("tunetrack_client")

_MOST_FAILURES = 5
"""How often in a row the service may fail before it is the message that is given up."""

_FINAL = (LeaseLost, UnknownRun, UnknownTrial)
"""After one of these, nothing more that is said about the run or the trial can be heard."""


class Listener(Protocol):
    """Who wants to know what the service said."""

    def told(self, answer: dict[str, Any]) -> None:
        """It took something that was said."""

    def refused(self, error: Refused, *, is_of_epochs: bool = False) -> None:
        """It did not.

        Args:
            is_of_epochs: what it did not take were values of epochs; all else may still come to a good end.
        """


class Delivery:
    """Sends requests one after another, and tells the listeners of each run or trial what came of it."""

    def __init__(self, connection: Connection) -> None:
        # Who is gone wants to know nothing; a worker may go through trials without end.
        self.listeners = WeakValueDictionary[str, Listener]()
        self.n_delivered = 0
        self.refusals: Counter[str] = Counter()
        self._connection = connection
        self._lost: set[str] = set()
        self._n_failures = 0

    def send(self, request: Request) -> None:
        """Deliver it, once and for all: what the service refuses is told, and done with.

        Raises:
            Unavailable: not now; send it again.
        """
        if request.about in self._lost:
            self.refusals["lost before"] += len(request.messages)
            return
        try:
            answer = self._connection.send(request.method, request.path, request.body)
        except NotAllowed as error:
            raise Unavailable(f"{self._connection.shown_url} does not take the key: {error}") from error
        except ServiceFailed as error:
            self._n_failures += 1
            if self._n_failures < _MOST_FAILURES:
                raise Unavailable(f"{self._connection.shown_url} failed: {error}") from error
            self._refused(request, error)
        except Refused as error:
            if (said := request.as_said()) is not None:
                self.send(said)
                return
            if len(request.messages) == 1 or isinstance(error, _FINAL):
                self._refused(request, error)
                return
            # All or nothing: one is wrong, and the others are not to be lost for it.
            for message in request.messages:
                for alone in fold([message]):
                    self.send(alone)
        else:
            self._n_failures = 0
            self.n_delivered += len(request.messages)
            if (listener := self.listeners.get(request.about)) is not None:
                listener.told(answer)

    def _refused(self, request: Request, error: Refused) -> None:
        self._n_failures = 0
        self.refusals[error.code] += len(request.messages)
        if isinstance(error, _FINAL) or request.path == "/v1/runs":
            self._lost.add(request.about)
        log.warning("%s was refused: %s", request.path, error)
        if (listener := self.listeners.get(request.about)) is not None:
            listener.refused(error, is_of_epochs=any(message.is_epoch for message in request.messages))
