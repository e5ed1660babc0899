"""Which of many trials are better when several objectives count."""

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.tuning.encoding import Array

Indices = npt.NDArray[np.intp]


def non_dominated(losses: Sequence[tuple[float, ...]]) -> list[bool]:
    """Whether no other trial is at least as low everywhere and lower somewhere. Equal trials do not beat each other.

    n log n for two objectives and for three; for more, the number of trials times the size of the front at most.

    Args:
        losses: of each trial, one per objective; finite, lower is better.
    """
    if not losses:
        return []
    points = ranked(np.array(losses, dtype=np.float64))
    order = np.lexsort(points.T[::-1])
    kept = np.zeros(len(points), dtype=bool)
    kept[order] = _front(points[order])
    return kept.tolist()


def best_first(losses: Array, n: int) -> Indices:
    """The indices of the best n trials, best first.

    With one objective by their loss. With several by fronts: those that no other trial dominates, then those that only
    these dominate, and so on; within a front those with the most room around them first.

    Args:
        losses: shape (n_trials, n_objectives), lower is better; what is not finite comes last.
    Returns:
        shape (min(n, n_trials),); equal trials in the order given.
    Source: Deb, Pratap, Agarwal, Meyarivan 2002, IEEE Trans. Evolutionary Computation 6.
    """
    is_sound = np.isfinite(losses).all(axis=1)
    sound = np.flatnonzero(is_sound)
    if losses.shape[1] == 1:
        order = sound[np.argsort(losses[sound, 0], kind="stable")]
    else:
        order = sound[_by_fronts(ranked(losses[sound]), n)]
    return np.concatenate([order, np.flatnonzero(~is_sound)])[:n]


def ranked(losses: Array) -> Array:
    """Each objective's losses as their ranks, equal ones sharing one: no scale is too large or too small for that."""
    ranks = [np.unique(column, return_inverse=True)[1].reshape(-1) for column in losses.T]
    return np.array(ranks, dtype=np.float64).T.reshape(losses.shape)


def _by_fronts(losses: Array, n: int) -> Indices:
    # In this order nobody is dominated by somebody after him.
    left = np.lexsort(losses.T[::-1])
    chosen: list[Indices] = []
    n_chosen = 0
    while len(left) and n_chosen < n:
        is_front = _front(losses[left])
        front = left[is_front]
        chosen.append(front[np.argsort(-_crowding(losses[front]), kind="stable")])
        n_chosen += len(front)
        left = left[~is_front]
    return np.concatenate(chosen) if chosen else np.array([], dtype=np.intp)


def _front(losses: Array) -> npt.NDArray[np.bool_]:
    """Who is not dominated, for trials in lexicographic order."""
    if losses.shape[1] == 2:
        return _front_of_two(losses)
    if losses.shape[1] == 3:
        return _front_of_three(losses)
    is_front = np.zeros(len(losses), dtype=bool)
    # A row for each objective: comparing is many times as fast than with one for each trial.
    left, columns = np.arange(len(losses)), np.ascontiguousarray(losses.T)
    while len(left):
        first = columns[:, :1]
        is_equal = (columns == first).all(axis=0)
        is_front[left[is_equal]] = True
        # In the first objective nobody after him is better.
        is_left = (columns[1:] < first[1:]).any(axis=0)
        n_left, n_equal = int(is_left.sum()), int(is_equal.sum())
        if n_left + n_equal == len(left):  # he beats nobody, and copying what is left would take longest of all
            left, columns = left[n_equal:], columns[:, n_equal:]
        else:
            left, columns = left[is_left], columns[:, is_left]
    return is_front


def _front_of_two(losses: Array) -> npt.NDArray[np.bool_]:
    """As `_front`, for two objectives: whose second beats all before, and his equals."""
    second = losses[:, 1]
    best_before = np.minimum.accumulate(np.append(np.inf, second[:-1]))
    is_new = second < best_before
    # Equal ones stand together, and are as good as the first of them.
    is_repeated = np.append(False, (losses[1:] == losses[:-1]).all(axis=1))
    first_of_equals = np.maximum.accumulate(np.where(is_repeated, 0, np.arange(len(losses))))
    result: npt.NDArray[np.bool_] = is_new[first_of_equals]
    return result


def _front_of_three(losses: Array) -> npt.NDArray[np.bool_]:
    """As `_front`, for three objectives: whom nobody before him beats in the second and third.

    Of those before him, the ones that count are a staircase: the higher their second loss, the lower their third.
    Source: Kung, Luccio, Preparata 1975, J. ACM 22.
    """
    is_front = np.zeros(len(losses), dtype=bool)
    seconds, thirds = list[float](), list[float]()
    before: list[float] = []
    is_kept = False
    for index, own in enumerate(losses.tolist()):
        if own != before:  # equal ones stand together, and are as good as the first of them
            _, second, third = before = own
            place = bisect_right(seconds, second)
            is_kept = place == 0 or thirds[place - 1] > third
            if is_kept:
                end = place
                while end < len(thirds) and thirds[end] >= third:
                    end += 1
                seconds[place:end], thirds[place:end] = [second], [third]
        is_front[index] = is_kept
    return is_front


def _crowding(losses: Array) -> Array:
    """How much room each trial has around it in its front; infinite for the best in an objective."""
    room = np.zeros(len(losses))
    for column in losses.T:
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        width = max(ordered[-1] - ordered[0], 1.0)
        room[order[1:-1]] += (ordered[2:] - ordered[:-2]) / width
        room[order[[0, -1]]] = np.inf
    return room
