"""What people have made of a run or a tuner: who edits it can say which edition the change was made from."""

from collections.abc import Collection
from hashlib import blake2b

import orjson

from app.domain.errors import PreconditionFailed
from app.store.runs import Run
from app.store.tuners import Tuner


def edition(thing: Run | Tuner) -> str:
    """What changes exactly when somebody edits it: not with epochs or trials."""
    of_its_kind = [thing.note, thing.params] if isinstance(thing, Run) else [thing.budget]
    return blake2b(orjson.dumps([thing.name, thing.tags, *of_its_kind]), digest_size=12).hexdigest()


def require_edition(thing: Run | Tuner, editions: Collection[str]) -> None:
    """Refuse a change that was made from another edition than these; where none is named, from whichever it was.

    Raises:
        PreconditionFailed: somebody has edited it since.
    """
    if editions and edition(thing) not in editions:
        raise PreconditionFailed()
