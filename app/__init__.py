"""tunetrack: hyperparameter tuning and experiment tracking as one small HTTP service.

A request's way in, top to bottom; imports run only downward (import-linter holds it):

    main.py, cli.py   composition root: the only places that choose
    api/              edges: HTTP in, wire models, problem details
    service/          decisions; one function is one use case
    store/            SQL, and nothing but
    tuning/           mathematics: strategies, encodings; no I/O
    domain/           words and rules: space, states, events, errors; standard library only
"""
