"""The mathematics of the search: from the space and the history to what to try next.

    registry ──> random, grid, sobol, tpe, gp, cma_es, nsga2, auto ──> strategy     what every strategy is
       │              ├─> encoding     spaces as unit cubes      parzen   densities, for tpe
       │              ├─> columns      many trials as numbers    fronts   who is better when several objectives count
       │              └─> record       what trials cost          options  checked by their schemas
    plugins           strategies and stoppers of other packages, looked up once at start
    forecast          what a trial that trains still will come to
    importance        how much of the scores' variance each parameter explains
    gaussian/         Gaussian processes, for gp
    stopping/                                        the rules that end hopeless runs early: from curves to decisions

Pure: no state, no I/O; numpy, scipy, cmaes, the standard library and `domain` are all it knows.
"""

import os

# Read when numpy is loaded first. Matrices are small here: threads would wait for each other longer than they compute,
# and on busy processors took 17 to 77 times as much of them. Proposals are computed beside each other anyhow.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
