"""SQL, and nothing but; no decisions.

A store function is a plain function of a `Connection`; `Database` decides where it runs. May import `domain`.

    database.py   Database: read in a reader thread, write through the writer
    writer.py     group commit: every write is a batch, a single write a batch of one
    locks.py      the order in which rows are locked
    listener.py   what other replicas commit
    engines.py    how the two databases are opened; sessions.py, a session with PostgreSQL; patience.py, how long
                  SQLite may read; place.py, its file is the one in its place
    faults.py     what the drivers' errors mean
    exclusive.py  one process per SQLite file; durability.py, whether PostgreSQL keeps what it acknowledged
    migrate.py    the schema is brought up to date at start; clock.py, the time
    backup.py     a copy of a SQLite file; copy.py, of either database into another
    tables.py     the tables; types.py, how values are kept in both databases
    driver.py     statements past SQLAlchemy, for what runs all the time; bulk.py, many rows at once
    transaction.py  one group commit under way; idempotency.py, its answers kept; line.py, the queue before it
    log.py        events appended, in commit order
    events.py tuners.py trials.py runs.py tags.py keys.py observers.py deliveries.py plugins.py
                  the queries, by noun
    leavings.py   what the log still has of deleted runs
    histories.py  epochs of many runs; curve_pieces.py, long ones in short; standing.py, how tuners stand
    search.py     runs found: ways.py, by which index; narrowing.py, where they are few; facts.py, what is indexed
    trial_search.py   trials of a tuner found
    filter_sql.py conditions as SQL; order_sql.py, orders; run_columns.py, fields; bounds.py, ranges of values
"""
