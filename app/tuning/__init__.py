"""The mathematics of the search: from the space and the history to what to try next.

    registry ──> random, grid, auto ──> strategy     what every strategy is
                        └─────────────> encoding     spaces as unit cubes
    stopping/                                        the rules that end hopeless runs early: from curves to decisions

Pure: no state, no I/O; numpy, the standard library and `domain` are all it knows.
"""
