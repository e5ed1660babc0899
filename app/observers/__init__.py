"""Events out: to webhooks over HTTP, and to observers in this process. No decisions, no SQL.

    webhooks.py    the loops of a process that calls webhooks: takes on, claims, sends, settles
    sender.py      one call of a webhook: signed, to a checked address, bounded in time and size
    plugins.py     in-process observers, found by the entry-point group `tunetrack.observers`
    counters.py    one that is shipped: Prometheus counters

May import `service`, `domain`, and for plain reads `store`; knows nothing of `api`, which lies beside it.
"""
