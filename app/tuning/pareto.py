"""Which of several losses are beaten by none."""

from collections.abc import Sequence

import numpy as np


def non_dominated(losses: Sequence[tuple[float, ...]]) -> list[bool]:
    """Whether no other point is at least as low everywhere and lower somewhere.

    Equal points do not beat each other. Candidates are visited in lexicographic order, in which no later point can beat
    an earlier one, and compared with the front so far: n log n + n times the size of the front.

    Args:
        losses: of each point, one per objective; finite, lower is better.
    """
    if not losses:
        return []
    points = np.array(losses, dtype=float)
    kept = np.zeros(len(points), dtype=bool)
    front = np.empty_like(points)
    size = 0
    for place in np.lexsort(points.T[::-1]):
        point = points[place]
        rivals = front[:size]
        if not bool(np.any(np.all(rivals <= point, axis=1) & np.any(rivals < point, axis=1))):
            kept[place] = True
            front[size] = point
            size += 1
    return kept.tolist()
