"""What the service fails at, set aside: nothing waits for it but, where that must, what its run says after it."""

from tunetrack_client.backlog import Backlog
from tunetrack_client.message import Request


class Kept:
    """Requests that are for later, and the runs and trials of which all that follows is for later, too.

    Args:
        backlog: where they go.
    """

    def __init__(self, backlog: Backlog) -> None:
        self.backlog = backlog
        self._about: set[str] = set()

    def __contains__(self, about: object) -> bool:
        return about in self._about

    def add(self, request: Request, *, with_rest: bool = True) -> None:
        """Keep it, and mark that what is said later about the same is to be kept, too."""
        if with_rest:
            self._about.add(request.about)
        for message in request.messages:
            self.backlog.put(message)
