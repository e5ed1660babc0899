"""HTTP in: routers, one per noun, each beside its wire models. No decisions, no SQL.

    application.py   the ASGI application: routers, error handlers, OpenAPI document; state.py, what routes are given
    connection.py    what comes over a connection, before anything else sees it
    gate.py          the one gate before every path: host, origin, key, rate (limits.py); session.py, a browser signs in
    strict.py        what every request must be like before it is looked at
    problems.py      errors as problem details, from one table; mistakes.py, in bodies of the wrong shape
    fields.py        the wire's scalars: numbers, names, times, ids
    pages.py         opaque page tokens; filter_params.py, by what a list is filtered and sorted
    editions.py      edits that are made from what somebody has seen
    large.py         large bodies and answers, that hold up nobody else; once.py, requests done once however often sent
    tuners.py trials.py analysis.py runs.py events.py observers.py operations.py
                     routers; *_models.py: their bodies and answers; told.py, what runs are answered
    overview.py      all that somebody who looks wants at once; export_formats.py, how a download is written
    run_search.py curves.py compare.py export.py    runs found, drawn, compared, downloaded
    docs.py          the interface as a page; openapi.py, as openapi/openapi.json, written and checked; headers.py,
                     wording.py and maps.py, what of it the framework leaves out or says clumsily
    telemetry.py     traces and metrics by OpenTelemetry

May import `service`, `domain`, and for plain reads `store`.
"""
