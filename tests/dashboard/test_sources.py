"""The dashboard's scripts are laid out as .prettierrc.json says."""

import json

from app.dashboard.shell import STATIC

MOST_COLUMNS = json.loads((STATIC.parents[2] / ".prettierrc.json").read_text(encoding="utf-8"))["printWidth"]


def test_no_line_of_a_script_is_longer_than_prettier_wraps_it() -> None:
    wide = [
        f"{path.name}:{number} has {len(line)} columns"
        for path in sorted(STATIC.glob("*.js"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > MOST_COLUMNS
    ]
    assert not wide, "\n".join(
        [*wide, "npx prettier --write app/dashboard/static/*.js; comments and template literals are wrapped by hand"]
    )
