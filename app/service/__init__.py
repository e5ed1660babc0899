"""Decisions; one function is one use case.

    create.py      a tuner, from a definition or a snapshot          snapshot.py   the whole tuner as JSON
    suggest.py     what to try next: asks are gathered and thought about; hand_out.py, and answered
    report.py      a trial's result
    start.py       a run begins      log_epochs.py   it tells      end.py   it ends, and with it its trial
    series.py      a run's curves
    look_back.py   what the trials have taught
    lifecycle.py   tuners opened for a change and saved; open_tuner.py has the rules that all of these share
    invariants.py  what must be true of the store, for `tunetrack check`
    sweep.py       what is kept for a time only
    feed.py        committed events to whoever watches; audience.py, who wants which; subscriber.py, what waits for one
    observe.py     webhooks are registered and changed; deliver.py, events become deliveries and are settled
    guard.py       where webhooks may go     vault.py    their secrets     condition.py   their rules
    aside.py       work that may take for ever
    hold.py        one process runs an in-process observer               metrics.py     what /metrics tells

A write operation (see `store/writer.py`) is a function of a transaction and a list of requests. May import
`store`, `tuning` and `domain`; knows nothing of HTTP.
"""
