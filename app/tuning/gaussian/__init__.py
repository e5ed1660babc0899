"""Gaussian processes over a space: what the strategy `gp` is made of.

    warp           losses -> targets that a Gaussian process can believe
    features       rows of `columns` -> vectors whose weighted distances the kernel sees, and the trend of these
    kernel         distances -> covariances, but for those of the trend
    fit            features, targets -> the hyperparameters that explain them best
    posterior      what is known at any point, given the observations and those still awaited
    robust         the same, where some trials came out badly by chance
    success        how likely a trial is to have a score at all
    acquisition    how much each point promises
    hypervolume    the same, where several objectives count
    search         where the most promising point is

Arrays: n observations, d columns, p features, m candidates.
"""
