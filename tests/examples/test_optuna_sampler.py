"""The example plug-in, installed beside the service and used."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

USE_IT = """
from app.domain.space import Space
from app.domain.states import TrialState
from app.tuning import plugins
from app.tuning.registry import STRATEGIES
from app.tuning.strategy import Observation, generator
from tests.spaces import EXAMPLE, typed

plugins.join_installed()
assert plugins.left_out == []
space = Space.from_json(EXAMPLE)
for sampler in ("TPESampler", "RandomSampler"):
    strategy = STRATEGIES["optuna"](space, {"sampler": sampler})
    history = []
    for number in range(15):
        together = strategy.propose(history, [], [generator(7, number), generator(7, number + 1)])
        alone = strategy.propose(history, [], [generator(7, number)])
        assert alone == together[:1]
        for proposal in together:
            assert typed(space.coerce(proposal.params)) == typed(proposal.params)
        history.append(Observation(number, alone[0].params, TrialState.completed, (number % 4 + 0.5,)))
print("used")
"""


@pytest.mark.slow
def test_the_optuna_plugin_is_found_once_installed_and_proposes_what_is_in_the_space(tmp_path: Path) -> None:
    (uv,) = ROOT.glob(".uv/*/bin/uv")
    # Without what the service has already: of that, only its own versions must be there.
    packages = [str(ROOT / "examples/optuna_sampler"), "optuna>=4.5", "colorlog", "tqdm", "PyYAML", "packaging"]
    install = [str(uv), "pip", "install", "--quiet", "--python", sys.executable, "--target", str(tmp_path), "--no-deps"]
    subprocess.run([*install, *packages], check=True)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    used = subprocess.run(
        [sys.executable, "-c", USE_IT], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert used.stdout == "used\n", used.stderr
