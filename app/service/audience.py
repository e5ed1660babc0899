"""Who watches what: streams found by what an event is, so that those whom it does not concern cost nothing."""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.service.subscriber import Subscriber
from app.store.events import EventFilter, StoredEvent


@dataclass(frozen=True, slots=True)
class Encoded:
    """An event as it goes out to everybody."""

    event: StoredEvent
    tags: frozenset[str]
    chunk: bytes


class Audience:
    """The open streams. Those that want the same are a group, and are offered the same bytes."""

    def __init__(self) -> None:
        self._groups: dict[EventFilter, set[Subscriber]] = {}
        self._n_streams = 0
        # The groups to look at for an event of a run, a tuner, a tag, a type; each group in one of these dimensions.
        self._concerned: defaultdict[Hashable, set[EventFilter]] = defaultdict(set)

    def __len__(self) -> int:
        return self._n_streams

    def __iter__(self) -> Iterator[Subscriber]:
        for group in self._groups.values():
            yield from group

    def add(self, subscriber: Subscriber) -> None:
        """From now on it is offered what it wants."""
        if subscriber.wanted not in self._groups:
            self._groups[subscriber.wanted] = set()
            for key in _keys_of_filter(subscriber.wanted):
                self._concerned[key].add(subscriber.wanted)
        self._groups[subscriber.wanted].add(subscriber)
        self._n_streams += 1

    def remove(self, subscriber: Subscriber) -> None:
        """It is offered nothing more."""
        group = self._groups[subscriber.wanted]
        group.remove(subscriber)
        self._n_streams -= 1
        if not group:
            del self._groups[subscriber.wanted]
            for key in _keys_of_filter(subscriber.wanted):
                self._concerned[key].discard(subscriber.wanted)
                if not self._concerned[key]:
                    del self._concerned[key]

    def offer(self, news: Sequence[Encoded]) -> bool:
        """Offer new events, in order, to all that want them and do not have them; whether anybody did."""
        wanted: defaultdict[EventFilter, list[Encoded]] = defaultdict(list)
        for one in news:
            for event_filter in self._concerned_by(one):
                if is_wanted(one, event_filter):
                    wanted[event_filter].append(one)
        for event_filter, found in wanted.items():
            whole = b"".join([one.chunk for one in found])
            first = found[0].event.event_id
            for subscriber in self._groups[event_filter]:
                if subscriber.after < first:
                    subscriber.offer(whole)
                elif rest := [one.chunk for one in found if one.event.event_id > subscriber.after]:
                    subscriber.offer(b"".join(rest))
        return bool(wanted)

    def _concerned_by(self, one: Encoded) -> Iterable[EventFilter]:
        groups = [self._concerned[key] for key in _keys_of_event(one) if key in self._concerned]
        return groups[0] if len(groups) == 1 else set().union(*groups)


def is_wanted(one: Encoded, wanted: EventFilter) -> bool:
    """Whether a filter lets an event through."""
    event = one.event
    return (
        (not wanted.types or event.type in wanted.types)
        and (not wanted.run_ids or event.run_id in wanted.run_ids)
        and (not wanted.tuner_ids or event.tuner_id in wanted.tuner_ids)
        and (not wanted.tags or not wanted.tags.isdisjoint(one.tags))
    )


_EVERYTHING = ("everything", None)


def _keys_of_filter(wanted: EventFilter) -> list[Hashable]:
    """The keys of one dimension: the one that leaves out the most events that are not wanted."""
    dimensions: tuple[tuple[str, Collection[Hashable]], ...] = (
        ("run", wanted.run_ids),
        ("tuner", wanted.tuner_ids),
        ("tag", wanted.tags),
        ("type", wanted.types),
    )
    return next(([(name, value) for value in values] for name, values in dimensions if values), [_EVERYTHING])


def _keys_of_event(one: Encoded) -> list[Hashable]:
    event = one.event
    tags = [("tag", tag) for tag in one.tags]
    return [_EVERYTHING, ("type", event.type), ("run", event.run_id), ("tuner", event.tuner_id), *tags]
