"""Whether this process was forked: what its children say after that, it does not know."""

import os
from types import SimpleNamespace

_process = SimpleNamespace(n_forks=0)


def n_forks() -> int:
    """How often it was forked by now."""
    count: int = _process.n_forks
    return count


def _count() -> None:
    _process.n_forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_parent=_count)
