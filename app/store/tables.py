"""The tables. The migrations make them; a test holds that both agree.

tuners ─< trials          a tuner's row is locked for every change of its trials: it carries their counts
   └────< runs >─ trial   a run may belong to a trial
facts                     what runs are searched by: their params and latest metrics, one a row, written some time after
curve_pieces              long histories in short: the extremes of some epochs each, written some time after
events                    the log: append-only, numbered in commit order; a run's history is its epoch_end events
keys                      who may do what
idempotency               the first answers to requests with an Idempotency-Key, for a day
tags                      the tags of runs and tuners, one a row, for filters
observers ─< deliveries   webhooks: how far in the log each has come, and what is to be sent or was
plugins                   how far in the log each in-process observer has come, and which process runs it
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from app.store.types import EventType, Id, Instant, Json, Score, Summary

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

tuners = Table(
    "tuners",
    metadata,
    Column("tuner_id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("space", Json, nullable=False),
    Column("objectives", Json, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("options", Json, nullable=False),
    Column("budget", Json, nullable=False),
    # When the budget's wall clock has run out.
    Column("deadline", Instant),
    Column("stopper", Json, nullable=False),
    Column("lease_s", Double, nullable=False),
    Column("tags", Json, nullable=False),
    Column("state", Text, nullable=False),
    Column("stop_reason", Text),
    # Proposals are written with compare-and-set on n_trials: it is the next trial's number.
    Column("n_trials", Integer, nullable=False),
    Column("n_proposed", Integer, nullable=False),
    Column("is_exhausted", Boolean, nullable=False),
    Column("counts", Json, nullable=False),
    Column("best_trial_id", Id),
    # What a creation with a client's own id was sent, so that a repeat is told from a conflict.
    Column("body_digest", LargeBinary(16), nullable=False),
    Column("create_time", Instant, nullable=False),
    Column("update_time", Instant, nullable=False),
    Index(None, "create_time", "tuner_id"),
)
_has_a_deadline = tuners.c.deadline.is_not(None)
Index(None, tuners.c.deadline, sqlite_where=_has_a_deadline, postgresql_where=_has_a_deadline)

trials = Table(
    "trials",
    metadata,
    Column("trial_id", Id, primary_key=True),
    Column("tuner_id", Id, ForeignKey("tuners.tuner_id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("params", Json, nullable=False),
    Column("params_digest", LargeBinary(16), nullable=False),
    Column("state", Text, nullable=False),
    Column("score", Score),
    Column("scores", Json),
    Column("reason", Text),
    Column("worker", Text),
    Column("attempt", Integer, nullable=False),
    # While it is running, until when its worker holds it; and the run that speaks for it.
    Column("lease_expires_at", Instant),
    Column("run_id", Id),
    Column("why", Json, nullable=False),
    Column("create_time", Instant, nullable=False),
    Column("end_time", Instant),
    UniqueConstraint("tuner_id", "number"),
    Index(None, "tuner_id", "state", "number"),
    Index(None, "tuner_id", "params_digest"),
)
_of_a_lease = trials.c.lease_expires_at.is_not(None)
Index(None, trials.c.lease_expires_at, sqlite_where=_of_a_lease, postgresql_where=_of_a_lease)

runs = Table(
    "runs",
    metadata,
    Column("run_id", Id, primary_key=True),
    Column("tuner_id", Id, ForeignKey("tuners.tuner_id", ondelete="SET NULL")),
    Column("trial_id", Id, ForeignKey("trials.trial_id", ondelete="SET NULL")),
    Column("name", Text, nullable=False),
    Column("params", Json, nullable=False),
    Column("tags", Json, nullable=False),
    Column("note", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("start_time", Instant, nullable=False),
    Column("end_time", Instant),
    Column("last_epoch", BigInteger),
    Column("summary", Summary, nullable=False),
    Column("final_metrics", Json),
    # Why it should stop, once somebody or a stopper has said so.
    Column("stop", Json),
    # While it speaks for a trial, for how long each of its words holds that.
    Column("lease_s", Double),
    # For how long it may be silent; and while it is running, until when.
    Column("stale_after_s", Double),
    Column("stale_at", Instant),
    Column("body_digest", LargeBinary(16), nullable=False),
    # 0: its facts are not those of its params and metrics; 1: they are; 2: they cannot be, see `facts.py`.
    Column("indexed", SmallInteger, nullable=False, server_default=text("0")),
    Index(None, "start_time", "run_id"),
    Index(None, "tuner_id"),
    Index(None, "trial_id"),
)
_may_fall_silent = runs.c.stale_at.is_not(None)
Index(None, runs.c.stale_at, sqlite_where=_may_fall_silent, postgresql_where=_may_fall_silent)
_is_read_plainly = runs.c.indexed != 1
Index("ix_runs_indexed", runs.c.indexed, sqlite_where=_is_read_plainly, postgresql_where=_is_read_plainly)

facts = Table(
    "facts",
    metadata,
    Column("run_id", Id, ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    # In the form of `domain/sortable.py`.
    Column("value", LargeBinary, nullable=False),
    Index(None, "name", "value", "run_id"),
    sqlite_with_rowid=False,
)

curve_pieces = Table(
    "curve_pieces",
    metadata,
    Column("run_id", Id, ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    # The epochs from `start` up to, and without, `stop`.
    Column("start", BigInteger, primary_key=True),
    Column("stop", BigInteger, nullable=False),
    Column("curves", Text, nullable=False),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    metadata,
    Column("event_id", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    Column("type", EventType, nullable=False),
    Column("timestamp", Instant, nullable=False),
    Column("run_id", Id),
    Column("tuner_id", Id),
    Column("epoch", BigInteger),
    # The metrics of an epoch; of other types the fields as they go out, but for those that have columns.
    Column("body", Text, nullable=False),
    sqlite_autoincrement=True,
)
# Partial: most events have no tuner, and only epochs have an epoch.
_of_a_run = events.c.run_id.is_not(None)
_of_a_tuner = events.c.tuner_id.is_not(None)
_of_an_epoch = events.c.epoch.is_not(None)
Index(None, events.c.run_id, events.c.event_id, sqlite_where=_of_a_run, postgresql_where=_of_a_run)
Index(None, events.c.tuner_id, events.c.event_id, sqlite_where=_of_a_tuner, postgresql_where=_of_a_tuner)
Index(None, events.c.run_id, events.c.epoch, sqlite_where=_of_an_epoch, postgresql_where=_of_an_epoch)
# The few that tell of something else than epochs, of which a run may have a million.
_of_a_run_itself = _of_a_run & events.c.epoch.is_(None)
Index(
    "ix_events_told",
    events.c.run_id,
    events.c.event_id,
    sqlite_where=_of_a_run_itself,
    postgresql_where=_of_a_run_itself,
)
# They are few beside the epochs, and whoever asks for some types of them need not read those.
_of_no_epoch = events.c.epoch.is_(None)
Index("ix_events_few", events.c.event_id, events.c.type, sqlite_where=_of_no_epoch, postgresql_where=_of_no_epoch)

tags = Table(
    "tags",
    metadata,
    Column("owner_id", Id, primary_key=True),
    Column("tag", Text, primary_key=True),
    Index(None, "tag"),
    sqlite_with_rowid=False,
)

keys = Table(
    "keys",
    metadata,
    Column("key_id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("scope", Text, nullable=False),
    # The start of the key, for people to tell it from others; of the rest only the SHA-256 is kept.
    Column("hint", Text, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("create_time", Instant, nullable=False),
    Column("expire_time", Instant),
    Column("revoke_time", Instant),
    UniqueConstraint("digest"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key_digest", LargeBinary(16), primary_key=True),
    Column("request_digest", LargeBinary(16), nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", Json, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("create_time", Instant, nullable=False),
    Index(None, "create_time"),
)

observers = Table(
    "observers",
    metadata,
    Column("observer_id", Id, primary_key=True),
    Column("url", Text, nullable=False),
    Column("types", Json, nullable=False),
    Column("tuner_id", Id),
    Column("run_id", Id),
    Column("tag", Text),
    Column("condition", Text),
    Column("sealed_secrets", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("off_reason", Text),
    Column("failing_since", Instant),
    # Every event up to this one that concerns it has its delivery. The log is the outbox.
    Column("position", BigInteger, nullable=False),
    Column("create_time", Instant, nullable=False),
    Index(None, "create_time", "observer_id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_id", Id, primary_key=True),
    Column("observer_id", Id, ForeignKey("observers.observer_id", ondelete="CASCADE"), nullable=False),
    # None: a test.
    Column("event_id", BigInteger),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("is_under_way", Boolean, nullable=False),
    Column("last_status", Integer),
    Column("last_error", Text),
    # Of a pending one; while it is being sent, when another process may take it for lost.
    Column("next_attempt_time", Instant),
    Column("create_time", Instant, nullable=False),
    Index(None, "observer_id", "delivery_id"),
)
_is_pending = deliveries.c.state == "pending"
Index(
    None,
    deliveries.c.observer_id,
    deliveries.c.next_attempt_time,
    sqlite_where=_is_pending,
    postgresql_where=_is_pending,
)

plugins = Table(
    "plugins",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("holder", Id),
    Column("held_until", Instant),
)
