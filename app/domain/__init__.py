"""The words and the rules.

    space.py specs.py     what a tuner may propose; spec_json.py, in JSON; decimals.py, stepped floats
    goal.py states.py     what it is after, and how tuners, trials and runs move
    events.py errors.py   what happened, and what can go wrong
    values.py             params, metrics and times as they travel; sortable.py, as bytes in their order
    summary.py curve.py   a metric's history, in seven numbers and thinned
    filters.py order.py   which things, and in which order; patterns.py, of texts
    access.py             who may do what; addresses.py, which networks are public
    csv_cells.py legible.py   texts that no spreadsheet runs, and that give no terminal an order

Standard library only; imports nothing else of this project.
"""
