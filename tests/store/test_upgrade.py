"""A database of the first schema is brought up to date with what is in it, and the service goes on from there."""

import httpx
from alembic import command
from sqlalchemy import text

from app.service.invariants import find_violations
from app.store.engines import open_writer, parse
from app.store.migrate import configuration
from tests.calls import answer, end_run, log_epoch, report, suggest
from tests.conftest import NewDatabase, open_client
from tests.server import Server

FIRST = "20261123_2100"
SPACE = '{"x":{"type":"float_range","min":0.0,"max":1.0,"log":false,"step":null}}'
COUNTS = '{"queued":1,"running":2,"completed":1,"stopped":0,"failed":0,"infeasible":0}'
BUDGET = '{"max_trials":5,"max_parallel":null,"max_failures":null,"max_attempts":3,"target":null,"wallclock_s":null}'


CODES = {"run_start": 1, "trial_start": 4, "trial_end": 5}


def fill(url: str) -> None:
    """One tuner with a trial of each kind, and runs as the first release let them be: several of one trial at once."""
    engine = open_writer(parse(url))
    is_postgres = engine.dialect.name == "postgresql"

    def key(number: int) -> str:
        return f"'{number:032x}'::uuid" if is_postgres else f"x'{number:032x}'"

    def time(seconds: int) -> str:
        return f"to_timestamp({1_790_000_000 + seconds})" if is_postgres else str((1_790_000_000 + seconds) * 10**6)

    zeros = "0" * 32
    digest = f"decode('{zeros}', 'hex')" if is_postgres else f"x'{zeros}'"
    false = "false" if is_postgres else "0"

    with engine.begin() as connection:
        command.upgrade(configuration(connection), FIRST)

        def run(sql: str) -> None:
            connection.exec_driver_sql(sql)

        run(
            "INSERT INTO tuners (tuner_id, name, strategy, space, objective, seed, options, budget, tags, state,"
            " stop_reason, n_trials, n_proposed, is_exhausted, counts, best_trial_id, body_digest, create_time,"
            f" update_time) VALUES ({key(1)}, 'old', 'random', '{SPACE}',"
            f""" '{{"metric":"score","direction":"maximize"}}', 7, '{{}}', '{BUDGET}', '["t"]', 'active', NULL, 4, 4,"""
            f" {false}, '{COUNTS}', {key(10)}, {digest}, {time(0)}, {time(9)})"
        )
        for number, state in enumerate(["completed", "running", "running", "queued"]):
            is_done = state == "completed"
            run(
                "INSERT INTO trials (trial_id, tuner_id, number, params, params_digest, state, score, reason, worker,"
                f" attempt, why, create_time, end_time) VALUES ({key(10 + number)}, {key(1)}, {number},"
                f""" '{{"x":0.{number + 1}}}', {digest}, '{state}', {0.5 if is_done else "NULL"}, NULL, 'w',"""
                f""" 1, '{{"strategy":"random"}}', {time(1)}, {time(5) if is_done else "NULL"})"""
            )
        # Two runs of trial 1, one of trial 2, one of the queued trial 3, one of trial 0, which has ended; one alone.
        for number, trial in enumerate([1, 1, 2, 3, 0, None]):
            of_trial = "NULL" if trial is None else key(10 + trial)
            run(
                "INSERT INTO runs (run_id, tuner_id, trial_id, name, params, tags, note, status, start_time, end_time,"
                f" last_epoch, summary, final_metrics, body_digest) VALUES ({key(20 + number)},"
                f""" {"NULL" if trial is None else key(1)}, {of_trial}, 'r', '{{}}', '[]', '', 'running',"""
                f""" {time(2 + number)}, NULL, NULL, '{{}}', NULL, {digest})"""
            )

        def event(kind: str, run_id: int | None, tuner: bool, body: str) -> None:
            run(
                "INSERT INTO events (type, timestamp, run_id, tuner_id, epoch, body) VALUES"
                f" ({CODES[kind]}, {time(3)}, {'NULL' if run_id is None else key(run_id)},"
                f" {key(1) if tuner else 'NULL'}, NULL, '{body}')"
            )

        for number in range(4):
            trial_id = f"00000000-0000-0000-0000-{10 + number:012x}"
            event(
                "trial_start",
                None,
                True,
                f'{{"trial_id":"{trial_id}","number":{number},"params":{{}},"worker":"w","attempt":1}}',
            )
        for number in range(6):
            event("run_start", 20 + number, number < 5, '{"params":{},"tags":[],"trial_id":null}')
        event(
            "trial_end",
            None,
            True,
            f'{{"trial_id":"00000000-0000-0000-0000-{10:012x}","number":0,"state":"completed","score":0.5,"reason":null}}',
        )
    engine.dispose()


def violations(url: str) -> list[str]:
    engine = open_writer(parse(url))
    with engine.begin() as connection:
        found = list(find_violations(connection))
    engine.dispose()
    return found


def test_what_the_first_release_left_is_taken_over(empty_database: NewDatabase) -> None:
    url = empty_database()
    fill(url)
    with Server(url) as server, open_client(server) as client:
        check(client)
        assert f"schema {FIRST} becomes" in server.log
        server.terminate()
        server.start()
        assert server.log.count("becomes") == 1
    assert violations(url) == []


def check(client: httpx.Client) -> None:
    (tuner,) = answer(client.get("/v1/tuners"))["items"]
    assert (tuner["lease_s"], tuner["stopper"], tuner["counts"]["stale"]) == (600, {"type": "none"}, 0)
    assert tuner["objective"] == {"metric": "score", "direction": "maximize"}
    trials = answer(client.get(f"/v1/tuners/{tuner['tuner_id']}/trials"))["items"]
    assert [trial["lease_expires_at"] is not None for trial in trials] == [False, True, True, False]
    runs = {run["run_id"][-2:]: run for run in answer(client.get("/v1/runs"))["items"]}
    statuses = {name: run["status"] for name, run in runs.items()}
    assert statuses == {
        "14": "crashed",  # another run of its trial is newer
        "15": "running",
        "16": "running",
        "17": "running",  # its trial was handed back, and nobody else has it
        "18": "running",
        "19": "running",
    }
    assert log_epoch(client, runs["15"], 0, score=0.25)["lease_expires_at"] is not None
    end_run(client, runs["15"], final_metrics={"score": 0.75})
    end_run(client, runs["18"])
    end_run(client, runs["19"])
    again = suggest(client, tuner, 3, worker="w")
    assert [(trial["number"], trial["attempt"]) for trial in again] == [(2, 1), (3, 2), (4, 1)]
    for trial in again:
        report(client, tuner, trial_id=trial["trial_id"], score=0.1)
    found = answer(client.get(f"/v1/tuners/{tuner['tuner_id']}"))
    assert (found["state"], found["best"]["number"]) == ("completed", 1)


def test_an_upgraded_database_agrees_with_itself(empty_database: NewDatabase) -> None:
    url = empty_database()
    fill(url)
    engine = open_writer(parse(url))
    with engine.begin() as connection:
        command.upgrade(configuration(connection), "head")
        assert connection.execute(text("SELECT count(*) FROM runs")).scalar() == 6
    engine.dispose()
    assert violations(url) == []
