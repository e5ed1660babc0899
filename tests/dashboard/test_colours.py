"""The colours of lines are told apart, also by those who see no red, or no green."""

import re
from itertools import combinations

import numpy as np
import pytest

from app.dashboard.shell import STATIC

N_BEST = 5
"""So many lines the learning curves colour: these must differ more than those that come after them in a comparison."""

# How linear RGB looks to them. Source: Machado, Oliveira, Fernandes 2009, IEEE TVCG 15 (6), severity 1.
SIGHTS = {
    "all": np.eye(3),
    "no red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
# Oklab, where distances are those that eyes see. Source: Ottosson 2020, https://bottosson.github.io/posts/oklab/
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def seen(colour: str, sight: str) -> np.ndarray:
    """Where in Oklab a colour, such as #1f5ae0, lies for them."""
    part = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    lab: np.ndarray = TO_LAB @ np.cbrt(TO_CONES @ np.clip(SIGHTS[sight] @ linear, 0, 1))
    return lab


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_no_two_lines_look_alike(scheme: int, sight: str) -> None:
    style = (STATIC / "style.css").read_text(encoding="utf-8")
    colours = [pair[scheme] for pair in re.findall(r"--c\d: light-dark\((#\w+), (#\w+)\)", style)]
    assert len(colours) == 8
    for (_, one), (place, other) in combinations(enumerate(colours), 2):
        distance = np.linalg.norm(seen(one, sight) - seen(other, sight))
        assert distance > (0.115 if place < N_BEST else 0.085), (one, other)
