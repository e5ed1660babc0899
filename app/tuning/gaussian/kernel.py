"""The Matérn kernel of smoothness 5/2: its functions are twice differentiable, not smoother than losses are.

Source: Rasmussen, Williams 2006, Gaussian Processes for Machine Learning, eq. 4.17.
"""

import numpy as np

from app.tuning.encoding import Array

_SQRT5 = 5**0.5


def matern(squares: Array) -> Array:
    """Correlations at squared distances, in the memory of these: for large matrices, which it spares a copy."""
    t = np.sqrt(squares)
    t *= _SQRT5
    correlations = squares
    correlations *= 5 / 3
    correlations += t
    correlations += 1.0
    np.negative(t, out=t)
    correlations *= np.exp(t, out=t)
    return correlations


def matern_slopes(squares: Array) -> tuple[Array, Array]:
    """Correlations at squared distances, and their derivatives by these."""
    t = np.sqrt(squares)
    t *= _SQRT5
    fall = np.exp(-t)
    t += 1.0
    slopes = t * fall
    slopes *= -5 / 6
    correlations = (t + (5 / 3) * squares) * fall
    return correlations, slopes


def squares_between(a: Array, b: Array) -> Array:
    """Squared distances of all pairs, shapes (n, p), (m, p) -> (n, m)."""
    squares: Array = a @ (-2 * b.T)
    squares += (a * a).sum(axis=1)[:, None]
    squares += (b * b).sum(axis=1)
    np.maximum(squares, 0.0, out=squares)
    return squares
