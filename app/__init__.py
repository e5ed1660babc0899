"""tunetrack: hyperparameter tuning and experiment tracking as one small HTTP service.

A request's way in, top to bottom; imports run only downward (import-linter holds it):

    main.py, cli/     composition root: the only places that choose (logs.py: how a line looks)
    watch/ importing/ clients of a running service, which the command has, too
    api/ dashboard/   edges: HTTP in, wire models, problem details; what a browser sees
    observers/        edge: events out, to webhooks and to plug-ins
    service/          decisions; one function is one use case
    store/            SQL, and nothing but
    tuning/           mathematics: strategies, encodings; no I/O
    domain/           words and rules: space, states, events, errors; standard library only
"""
