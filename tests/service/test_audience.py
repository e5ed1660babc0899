"""Streams found by what an event is: whoever wants it is offered it, nobody else, and nobody twice."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.service.audience import Audience, Encoded, is_wanted
from app.service.subscriber import Subscriber
from app.store.events import EventFilter, StoredEvent

RUNS = [UUID(int=number) for number in range(3)]
TUNERS = [UUID(int=number) for number in range(10, 13)]
TAGS = ["a", "b", "c"]
TYPES = ["run_start", "epoch_end", "trial_end"]

filters = st.builds(
    EventFilter,
    types=st.frozensets(st.sampled_from(TYPES)),
    run_ids=st.frozensets(st.sampled_from(RUNS)),
    tuner_ids=st.frozensets(st.sampled_from(TUNERS)),
    tags=st.frozensets(st.sampled_from(TAGS)),
)
kinds = st.tuples(
    st.sampled_from(TYPES),
    st.none() | st.sampled_from(RUNS),
    st.none() | st.sampled_from(TUNERS),
    st.frozensets(st.sampled_from(TAGS)),
)


class Listener(Subscriber):
    """One that keeps what it is offered."""

    def __init__(self, wanted: EventFilter, after: int) -> None:
        super().__init__(wanted, after)
        self.heard = b""

    def offer(self, chunk: bytes) -> None:
        """Keep it."""
        self.heard += chunk


@given(
    st.lists(st.tuples(filters, st.integers(0, 6), st.booleans()), max_size=12),
    st.lists(kinds, max_size=6),
)
def test_each_is_offered_exactly_what_it_wants_and_does_not_have(
    wishes: list[tuple[EventFilter, int, bool]],
    happened: list[tuple[str, UUID | None, UUID | None, frozenset[str]]],
) -> None:
    audience = Audience()
    listeners = [Listener(wanted, after) for wanted, after, _ in wishes]
    for listener in listeners:
        audience.add(listener)
    gone = [listener for listener, (_, _, leaves) in zip(listeners, wishes, strict=True) if leaves]
    for listener in gone:
        audience.remove(listener)
    news = [
        Encoded(StoredEvent(number, kind, run_id, tuner_id, b""), tags, b"<%d>" % number)
        for number, (kind, run_id, tuner_id, tags) in enumerate(happened, 1)
    ]
    has_takers = audience.offer(news)
    for listener in listeners:
        expected = [
            one.chunk for one in news if is_wanted(one, listener.wanted) and one.event.event_id > listener.after
        ]
        assert listener.heard == (b"" if listener in gone else b"".join(expected))
    assert set(audience) == set(listeners) - set(gone)
    assert bool(audience) == (len(gone) < len(listeners))
    for subscriber in list(audience):
        audience.remove(subscriber)
    assert not audience
    assert not audience._concerned
    assert has_takers or not any(listener.heard for listener in listeners)
