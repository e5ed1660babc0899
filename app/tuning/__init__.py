"""The mathematics of the search: from the space and the history to what to try next.

    registry ──> random, grid, auto ──> strategy     what every strategy is
                        └─────────────> encoding     spaces as unit cubes

Pure: no state, no I/O; numpy, the standard library and `domain` are all it knows.
"""
