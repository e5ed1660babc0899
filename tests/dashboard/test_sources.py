"""No line of the dashboard's files is wider than .prettierrc.json allows. Nothing checks the rest of it."""

import json

from app.dashboard.shell import STATIC

MOST_COLUMNS = json.loads((STATIC.parents[2] / ".prettierrc.json").read_text(encoding="utf-8"))["printWidth"]


def test_no_line_is_longer_than_prettier_wraps_it() -> None:
    wide = [
        f"{path.name}:{number} has {len(line)} columns"
        for path in sorted([*STATIC.glob("*.js"), *STATIC.glob("*.css")])
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > MOST_COLUMNS
    ]
    todo = "npx prettier --write app/dashboard/static/*.js; comments, template literals and styles are wrapped by hand"
    assert not wide, "\n".join([*wide, todo])
