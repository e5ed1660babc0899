"""The service does what its OpenAPI document says, whatever a fuzzer reads in it: status, type, headers and schema.
The fuzzer is schemathesis: single requests, valid and broken in ways that it knows, and chains of requests that follow
what the answers name. It comes with an admin key, and sees that nothing opens without one.
"""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.chaos.search import check_database
from tests.chaos.sizes import IS_FULL, size
from tests.conftest import WEBHOOKS, NewDatabase
from tests.keys import make_key
from tests.server import Server

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).parent / "schemathesis.toml"
PHASES = size("fuzzing,stateful", "examples,coverage,fuzzing,stateful")
N_EXAMPLES = size(2, 100)
"""For each operation."""
SEED = "20261124"


@pytest.mark.parametrize("backend", size(["sqlite"], ["sqlite", "postgres"]), indirect=True)
def test_every_answer_is_as_documented_to_whatever_is_asked(new_database: NewDatabase) -> None:
    with Server(new_database(), env=WEBHOOKS) as server:
        authorization = f"Bearer {make_key(server, 'admin')}"
        headers = {"Authorization": authorization}
        # It is made when it is first asked for, and the fuzzer waits for it no longer than ten seconds.
        httpx.get(f"{server.url}/openapi.json", headers=headers, trust_env=False, timeout=60).raise_for_status()
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"),
            f"{server.url}/openapi.json",
            *("--header", f"Authorization: {authorization}"),
            *("--phases", PHASES, "--max-examples", str(N_EXAMPLES), "--no-color"),
            *([] if IS_FULL else ["--seed", SEED, "--generation-deterministic"]),
        ]
        env = os.environ | {"SCHEMATHESIS_HOOKS": "tests.fuzz.hooks"}
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr + server.log[-10_000:]
        check_database(server.database)
        assert "Traceback" not in server.log
