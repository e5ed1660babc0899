"""Writes openapi/openapi.json, or with --check says whether it is stale: `python -m app.api.openapi [--check]`."""

import sys
from importlib.metadata import version
from pathlib import Path

import orjson

from app.api.application import build
from app.api.gate import Rules

PATH = Path(__file__).parent.parent.parent / "openapi" / "openapi.json"


def render() -> bytes:
    """The document as it is committed."""
    document = build(None, version("tunetrack"), Rules()).openapi()
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def main() -> int:
    """Write or check; the exit status."""
    if "--check" not in sys.argv:
        PATH.write_bytes(render())
        return 0
    if PATH.exists() and PATH.read_bytes() == render():
        return 0
    sys.stderr.write(f"{PATH.name} is stale: run `make openapi`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
