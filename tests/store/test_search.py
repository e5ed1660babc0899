"""What the databases find is what the plain evaluation says, over random runs, conditions and orders."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, create_mock_engine, delete, update

from app.domain.events import EpochEnd
from app.domain.filters import (
    RUN_FIELDS,
    And,
    Compare,
    Condition,
    Field,
    HasTag,
    Is,
    IsTrue,
    Kind,
    Like,
    Not,
    OneOf,
    Or,
    holds,
)
from app.domain.order import Order, OrderKey, Place
from app.domain.sortable import encode
from app.domain.states import RunStatus
from app.domain.summary import MetricSummary
from app.domain.values import Number, Scalar
from app.store import bulk, facts, log, narrowing, runs, search, tags, ways
from app.store.engines import open_writer, parse
from app.store.filter_sql import Compiler
from app.store.log import Record
from app.store.run_columns import columns_of_rows
from app.store.runs import Run
from app.store.search import Search, thing_of
from app.store.tables import events as event_table
from app.store.tables import facts as fact_table
from app.store.tables import runs as run_table
from app.store.tables import tags as tag_table
from tests.conftest import NewDatabase

_CHANGED_SINCE = -1
_T0 = datetime(2026, 11, 24, tzinfo=UTC)
_HOSTILE = [
    "",
    "'",
    '"',
    "%",
    "_",
    "\\",
    "a%b",
    "*",
    "[a]",
    "?",
    "'; DROP TABLE runs; --",
    ":a",
    "%(a)s",
    "\U0001f600",
    "é",
]

# Few values that stand close together, so that nearly every comparison is a close one.
_NUMBERS: list[int | float] = [
    *(-(2**63), -(2.0**53), -(2**53) - 1, -1.7e308, -1, -5e-324, -0.0, 0, 5e-324, 0.1, 0.5, 1, 1.0, 3, 3.0, 1.7e308),
    *(2**53 - 1, 2**53, 2.0**53, 2**53 + 1, 2**53 + 2, 2.0**53 + 2, 2**63 - 512, 2**63 - 1, 2.0**63),
]
_TEXTS = ["", "3", "NaN", "running", "finished", "Adam", "adam", "adamw", "true", "\u00e9", "\uffff", "\U0001f600"]
_SCALARS: list[Scalar] = [*_NUMBERS, *_TEXTS, False, True]
_METRICS: list[Number] = [*map(float, _NUMBERS), "NaN", "Infinity", "-Infinity"]

numbers = st.one_of(st.sampled_from(_NUMBERS), st.floats(allow_nan=False, allow_infinity=False))
_printable = st.characters(exclude_categories=["C", "Zl", "Zp", "Zs"], include_characters=" ")
storable_texts = st.one_of(
    st.sampled_from([text for text in (*_TEXTS, *_HOSTILE) if text.isprintable()]), st.text(_printable, max_size=5)
)
scalars = st.one_of(numbers, storable_texts, st.booleans())
metrics = st.sampled_from(_METRICS)
names = st.sampled_from(["a", "'; --"])
times = st.integers(0, 5).map(lambda seconds: _T0 + timedelta(seconds=seconds, microseconds=seconds * 7))


@st.composite
def many_runs(draw: st.DrawFn) -> list[Run]:
    """Some runs, half of them as they would be found before they are indexed, or after they have changed."""
    made = []
    for number in range(draw(st.integers(0, 8))):
        values = draw(st.dictionaries(names, metrics, max_size=2))
        end = draw(st.none() | times)
        last_epoch = draw(st.none() | st.sampled_from([0, 3, 2**53 + 1, 2**63 - 1]))
        made.append(
            Run(
                run_id=UUID(int=draw(st.integers(1, 4)) << 100 | number),
                tuner_id=None,
                trial_id=None,
                name=draw(storable_texts),
                params=draw(st.dictionaries(names, scalars, max_size=2)),
                tags=draw(st.lists(storable_texts.filter(bool), max_size=2, unique=True)),
                note=draw(storable_texts),
                status=draw(st.sampled_from(RunStatus)),
                start_time=draw(times),
                end_time=end,
                last_epoch=last_epoch,
                last_epoch_time=None if last_epoch is None else draw(times),
                summary={key: MetricSummary(value, 0, None, None, None, None, 1) for key, value in values.items()},
                final_metrics=draw(st.none() | st.dictionaries(names, metrics, max_size=1)),
                stop=None,
                lease_s=None,
                stale_after_s=None,
                stale_at=None,
                body_digest=b"",
                indexed=draw(st.sampled_from([facts.INDEXED, facts.INDEXED, facts.CHANGED, _CHANGED_SINCE])),
            )
        )
    return made


params_fields = names.map(lambda key: Field("params", Kind.params, key))
metric_fields = names.map(lambda key: Field("metrics", Kind.metrics, key))
plain_fields = st.sampled_from(
    [Field(name, kind) for name, kind in RUN_FIELDS.items() if kind in (Kind.text, Kind.number)]
)
any_fields = st.one_of(params_fields, metric_fields, plain_fields)
operators = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
time_literals = times.map(lambda time: time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
id_literals = st.sampled_from(["x", *(str(UUID(int=number << 100)) for number in range(6))])
pattern_texts = st.lists(st.sampled_from([*"%_\\aA*?[", "é"]), max_size=6).map("".join)
text_fields = st.sampled_from([Field(name, Kind.text) for name in ("name", "note", "status")])
time_fields = st.sampled_from([Field(name, Kind.time) for name in ("start_time", "end_time", "last_epoch_time")])
id_fields = st.sampled_from([Field(name, Kind.id) for name in ("run_id", "tuner_id")])

parts: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Compare, any_fields, operators, scalars),
    st.builds(OneOf, any_fields, st.lists(scalars, min_size=1, max_size=3).map(tuple)),
    st.builds(Like, st.one_of(params_fields, text_fields), st.one_of(storable_texts, pattern_texts), st.booleans()),
    st.builds(Is, st.one_of(any_fields, time_fields), st.sampled_from(["null", "nan", "finite"])),
    st.builds(HasTag, storable_texts),
    st.builds(IsTrue, params_fields),
    st.builds(Compare, time_fields, operators, time_literals),
    st.builds(Compare, id_fields, operators, id_literals),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    parts,
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=5,
)
order_fields = st.one_of(any_fields, time_fields, st.just(Field("run_id", Kind.id)))
orders = st.one_of(
    st.just(search.NEWEST_FIRST),
    st.lists(st.builds(OrderKey, order_fields, st.booleans()), min_size=1, max_size=3).map(tuple).map(Order),
)


@pytest.fixture(scope="module")
def engines() -> Iterator[dict[str, Engine]]:
    """An engine for each backend, opened when it is first wanted."""
    opened: dict[str, Engine] = {}
    yield opened
    for engine in opened.values():
        engine.dispose()


@pytest.fixture
def engine(engines: dict[str, Engine], backend: str, new_database: NewDatabase) -> Engine:
    if backend not in engines:
        url = parse(new_database())
        engines[backend] = open_writer(url)
    return engines[backend]


def _fill(connection: Connection, made: list[Run]) -> None:
    connection.execute(delete(tag_table))
    connection.execute(delete(run_table))
    connection.execute(delete(event_table))
    wanted = [run for run in made if run.indexed != facts.CHANGED]
    runs.add(connection, made)
    for run in made:
        if run.last_epoch is not None and run.last_epoch_time is not None:
            log.append(connection, [Record(EpochEnd(run.run_id, run.last_epoch, {}), run.last_epoch_time, None)])
    facts.put(connection, wanted)
    changed = [run.run_id for run in made if run.indexed == _CHANGED_SINCE]
    # Their facts are those of before: as if all of them had had everything, and other values.
    connection.execute(update(run_table).where(run_table.c.run_id.in_(changed)).values(indexed=facts.CHANGED))
    old = {name: encode(7) for key in ("a", "'; --") for name in (f"params.{key}", f"metrics.{key}")}
    connection.execute(delete(fact_table).where(fact_table.c.run_id.in_(changed)))
    bulk.insert(
        connection,
        fact_table,
        ("run_id", "name", "value"),
        [facts.Fact(run_id, name, value) for run_id in changed for name, value in old.items()],
    )


def _in_order(made: list[Run], order: Order) -> list[tuple[UUID, Mapping[str, Any]]]:
    """The runs as conditions see them."""
    things = [(run.run_id, thing_of(run)) for run in made]
    return order.first(things, lambda one: order.place_of(one[1], one[0].bytes), len(made))


def _expected(made: list[Run], condition: Condition | None, order: Order) -> list[UUID]:
    return [run_id for run_id, thing in _in_order(made, order) if condition is None or holds(condition, thing)]


def _pages(connection: Connection, condition: Condition | None, order: Order, size: int) -> list[UUID]:
    found: list[UUID] = []
    after: Place | None = None
    while page := search.list_found(connection, Search(condition, order, after), size):
        found += [one.run.run_id for one in page]
        after = page[-1].place
    return found


_unhurried = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@_unhurried
@given(
    made=many_runs(),
    condition=st.none() | conditions,
    order=orders,
    size=st.integers(1, 5),
    few=st.sampled_from([-1, -1, 5000]),
    stretch=st.sampled_from([0, 2, 5, 5000]),
)
def test_what_is_found_is_what_the_plain_evaluation_says_page_by_page(
    engine: Engine, made: list[Run], condition: Condition | None, order: Order, size: int, few: int, stretch: int
) -> None:
    with pytest.MonkeyPatch.context() as patch, engine.begin() as connection:
        patch.setattr(narrowing, "_FEW", few)  # each way of searching
        patch.setattr(ways, "_STRETCH", stretch)
        _fill(connection, made)
        assert _pages(connection, condition, order, size) == _expected(made, condition, order)


_PARAM = Field("params", Kind.params, "a")
_METRIC = Field("metrics", Kind.metrics, "a")
_NUMBER_FIELDS = [Field("last_epoch", Kind.number), Field("duration_s", Kind.number)]


def _one_of_each() -> list[Run]:
    """A run for each value that a param can have here, and for each of a metric; and one that has none."""
    made = [_plain(0, {})]
    for number, scalar in enumerate(_SCALARS, 1):
        made.append(_plain(number, {"a": scalar}))
        made[-1].name = scalar if isinstance(scalar, str) else ""
        made[-1].last_epoch = scalar if type(scalar) is int and scalar >= 0 else None
        made[-1].end_time = _T0 + timedelta(seconds=scalar) if scalar in (0.1, 0.5, 1, 3, -1) else None
    for number, value in enumerate(_METRICS, 1000):
        made.append(_plain(number, {}))
        made[-1].summary = {"a": MetricSummary(value, 0, None, None, None, None, 1)}
    return made


def _comparisons(fields: list[Field], literals: list[Scalar]) -> list[Condition]:
    """Each literal with each half of the signs that are made alike, in turn."""
    signs = (("=", "<", ">"), ("!=", "<=", ">="))
    return [
        Compare(field, sign, literal)
        for field in fields
        for number, literal in enumerate(literals)
        for sign in signs[number % 2]
    ]


_RUN_ID = Field("run_id", Kind.id)
_BY_INDEX: list[Condition] = [
    *(Is(field, what) for field in (_PARAM, _METRIC) for what in ("null", "nan", "finite")),
    *_comparisons([_PARAM, _METRIC], _SCALARS),
    *(OneOf(_PARAM, (one, other)) for one, other in pairwise(_SCALARS)),
    *(Compare(_RUN_ID, "=", text) for text in ("x", str(UUID(int=3)))),
]
"""What few runs may be known to meet."""
_BY_COLUMN: list[Condition] = [
    # Of literals that are of another kind than the column some are enough.
    *_comparisons([Field("name", Kind.text)], [*_TEXTS, -1, 0, 3, 3.0, False, True]),
    *_comparisons(_NUMBER_FIELDS, [*_NUMBERS, "", "3", "NaN", False, True]),
    *(Not(Compare(field, "<", 3)) for field in (_PARAM, _METRIC, *_NUMBER_FIELDS)),
    *(Compare(_RUN_ID, sign, text) for sign in ("!=", "<") for text in ("x", str(UUID(int=3)))),
]


@pytest.mark.parametrize(
    ("few", "asked"), [(-1, _BY_INDEX + _BY_COLUMN), (5000, _BY_INDEX)], ids=["among all", "among few"]
)
def test_every_kind_of_value_compares_with_every_literal_as_the_plain_evaluation_says(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, few: int, asked: list[Condition]
) -> None:
    made = _one_of_each()
    monkeypatch.setattr(narrowing, "_FEW", few)  # each way of searching
    by_id = Order((OrderKey(_RUN_ID, is_descending=False),))
    in_order = _in_order(made, by_id)
    with engine.begin() as connection:
        _fill(connection, made)
        for condition in asked:
            found = [one.run.run_id for one in search.list_found(connection, Search(condition, by_id), len(made))]
            assert found == [run_id for run_id, thing in in_order if holds(condition, thing)], condition


@pytest.mark.parametrize("field", [_PARAM, _METRIC, Field("name", Kind.text), *_NUMBER_FIELDS], ids=str)
@pytest.mark.parametrize("is_descending", [False, True])
def test_every_kind_of_value_has_its_place_in_the_order(engine: Engine, field: Field, is_descending: bool) -> None:
    made, order = _one_of_each(), Order((OrderKey(field, is_descending),))
    with engine.begin() as connection:
        _fill(connection, made)
        for size in (1, 7):
            assert _pages(connection, None, order, size) == _expected(made, None, order)


@pytest.mark.parametrize("pattern", ["[a]", "[%", "%[a_", "%]", "?", "*", "_", "\\%", "\\_", "\\\\"])
def test_signs_that_mean_something_to_a_database_are_text_in_a_pattern(engine: Engine, pattern: str) -> None:
    made = [_plain(number, {"a": text}) for number, text in enumerate(["[a]", "a", "?", "*", "%", "_", "\\"])]
    for run in made:
        run.name = str(run.params["a"])
    with engine.begin() as connection:
        _fill(connection, made)
        for field in (Field("name", Kind.text), _PARAM):
            condition = Like(field, pattern, ignores_case=False)
            found = {one.run.run_id for one in search.list_found(connection, Search(condition), 10)}
            assert found == set(_expected(made, condition, search.NEWEST_FIRST))


def test_case_is_ignored_in_a_to_z_only(engine: Engine) -> None:
    made = [_plain(1, {"a": "É"}), _plain(2, {"a": "é"}), _plain(3, {"a": "E"}), _plain(4, {"a": "e"})]
    for run in made:
        run.name = str(run.params["a"])
    with engine.begin() as connection:
        _fill(connection, made)
        for field in (Field("name", Kind.text), _PARAM):
            for pattern in ("É", "é", "E"):
                condition = Like(field, pattern, ignores_case=True)
                found = {one.run.run_id for one in search.list_found(connection, Search(condition), 10)}
                assert found == set(_expected(made, condition, search.NEWEST_FIRST))


@pytest.mark.parametrize("field", [field for field, kind in RUN_FIELDS.items() if kind in (Kind.text, Kind.id)])
def test_on_postgresql_texts_have_the_order_of_code_points_whatever_the_language_of_the_database(field: str) -> None:
    # The databases of the development wheel know no language at all: what makes it so must be seen in the statement.
    compiler = Compiler("postgresql", columns_of_rows("postgresql"), run_table.c.run_id)
    named, dialect = Field(field, RUN_FIELDS[field]), create_mock_engine("postgresql+psycopg://", print).dialect
    for sql in (compiler.column(named), compiler.compile(Compare(named, "<", "x"))):
        assert 'COLLATE "C"' in str(sql.compile(dialect=dialect))


def test_a_tag_of_a_tuner_finds_no_run(engine: Engine) -> None:
    with engine.begin() as connection:
        _fill(connection, [])
        tags.replace(connection, [(UUID(int=7), ["x"])])
        either: Any = Or((HasTag("x"), Compare(_PARAM, "=", 1)))
        for condition in (HasTag("x"), either):
            assert search.list_found(connection, Search(condition), 10) == []


@pytest.mark.parametrize("stretch", [1, 3])
def test_runs_of_one_value_stay_together_for_the_next_key(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, stretch: int
) -> None:
    made = [_plain(number, {"a": number % 2, "b": (number * 5) % 12}) for number in range(12)]
    monkeypatch.setattr(ways, "_STRETCH", stretch)
    with engine.begin() as connection:
        _fill(connection, made)
        for down, down_next in product([False, True], repeat=2):
            order = Order((OrderKey(_PARAM, down), OrderKey(Field("params", Kind.params, "b"), down_next)))
            assert _pages(connection, None, order, 2) == _expected(made, None, order)


def test_old_facts_of_a_changed_run_hide_no_run_that_has_none(engine: Engine) -> None:
    without, changed = _plain(1, {}), _plain(2, {"a": 3})
    changed.indexed = _CHANGED_SINCE
    order = Order((OrderKey(_PARAM, is_descending=False),))
    with engine.begin() as connection:
        _fill(connection, [without, changed])
        assert _pages(connection, None, order, 1) == [changed.run_id, without.run_id]


def test_a_text_too_long_for_an_index_is_found_all_the_same(engine: Engine) -> None:
    with engine.begin() as connection:
        condition = Compare(_PARAM, "=", "x" * 9000)
        made = [_plain(1, {"a": "x" * 9000}), _plain(2, {"a": "x" * 8999}), _plain(3, {"a": "x"})]
        _fill(connection, made)
        assert [found.run.run_id for found in search.list_found(connection, Search(condition), 10)] == [UUID(int=1)]
        assert facts.list_changed(connection, 10) == []


def _plain(number: int, params: dict[str, Any]) -> Run:
    return Run(
        run_id=UUID(int=number),
        tuner_id=None,
        trial_id=None,
        name="",
        params=params,
        tags=[],
        note="",
        status=RunStatus.running,
        start_time=_T0,
        end_time=None,
        last_epoch=None,
        summary={},
        final_metrics=None,
        stop=None,
        lease_s=None,
        stale_after_s=None,
        stale_at=None,
        body_digest=b"",
        indexed=facts.INDEXED,
    )
