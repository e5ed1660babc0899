"""What the service fails at, set aside: nothing is lost, and nothing waits for it but what its run says after it."""

from tunetrack_client.backlog import Backlog
from tunetrack_client.message import Request


class Kept:
    """Requests that are for later, with all that follows about the same run or trial.

    Args:
        backlog: where they go.
    """

    def __init__(self, backlog: Backlog) -> None:
        self.backlog = backlog
        self._about: set[str] = set()

    def __contains__(self, about: object) -> bool:
        return about in self._about

    def add(self, request: Request) -> None:
        """Keep it."""
        self._about.add(request.about)
        for message in request.messages:
            self.backlog.put(message)
