"""Decisions; one function is one use case.

    create.py      a tuner, from a definition or a snapshot          snapshot.py   the whole tuner as JSON
    suggest.py     what to try next: asks are gathered and thought about; hand_out.py, and answered
    forecasts.py   what the trials that train still are expected to come to
    gather.py      questions about one thing, answered together
    report.py      a trial's result      add_trials.py   trials that no strategy proposed      pareto.py   the best
    start.py       a run begins          log_epochs.py   it tells      end.py   it ends, and with it its trial
    track.py       what a run says and is told: keep_alive.py, it is alive; stop.py, it should stop; stop_early.py, why
    holding.py     runs that speak for trials      lease.py   workers without a run      reap.py   who fell silent
    steer.py       a tuner is paused, resumed, stopped, edited, deleted      edit_run.py   a run is edited, deleted
    edition.py     what both were before an edit
    keys.py        who may come in
    series.py      a run's curves      compare.py   side by side      export.py   as a file      overview.py   at a look
    index_runs.py  what makes runs quick to find; condense.py, to draw
    filter_language.py  how things are asked for, by a filter and in an order; filter_tree.py, what that means,
                   filter_literals.py, of each literal; filter_faults.py, what to say where it does not parse
    look_back.py   what the trials have taught
    each.py        each request of a batch by itself; trial.py, what there is to say of one trial
    lifecycle.py   tuners opened for a change and saved; open_tuner.py has the rules that all of these share
    invariants.py  what must be true of the store, for `tunetrack check`; diagnose.py, what is not well with it
    set_back.py    the database was set back under this process
    sweep.py       what is kept for a time only
    feed.py        committed events to whoever watches; audience.py, who wants which; subscriber.py, what waits for one
    observe.py     webhooks are registered and changed; deliver.py, events become deliveries and are settled
    guard.py       where webhooks may go     vault.py    their secrets     condition.py   their rules
    aside.py       work with code of somebody else, that may take for ever
    hold.py        one process runs an in-process observer               metrics.py     what /metrics tells

A write operation (see `store/writer.py`) is a function of a transaction and a list of requests. May import
`store`, `tuning` and `domain`; knows nothing of HTTP.
"""
