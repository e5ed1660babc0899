"""Under which licences the service's dependencies are: `python -m deploy.licences` writes `docs/licences.md` anew."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "licences.md"

_ELSEWHERE = {"colorama": "BSD-3-Clause", "tzdata": "Apache-2.0"}
"""Of packages that only Windows needs, and that are not installed here."""

_SAID_OTHERWISE = {
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "MIT License OR Apache Software License": "MIT OR Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
}
PERMISSIVE = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0", "PSF-2.0", "Zlib"}
)
USED_AS_THEY_ARE = {
    "certifi": "a list of certificates",
    "orjson": "a compiled library",
    "psycopg": "imported, never changed",
    "psycopg-binary": "imported, never changed",
}
"""Whose licence asks that changes of their own files be published (MPL, LGPL): we make none."""

_HEAD = """# Licences

What `tunetrack` installs, its extras included, and under which licence. Each is permissive, or asks only that changes
of its own files be published (MPL, LGPL), of which there are none. `python -m deploy.licences` writes this page from
what the packages say, a test holds it to that, and `make audit` looks all of them up for known holes.

| package | licence |
|---|---|
"""


def locked() -> list[str]:
    """The names of all that the service needs, its extras included, as the lock has them."""
    uv = sorted(ROOT.glob(".uv/*/bin/uv"))[-1]
    options = ["--quiet", "--frozen", "--no-dev", "--all-extras", "--no-emit-project", "--no-hashes", "--no-annotate"]
    listed = subprocess.run([uv, "export", *options], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return re.findall(r"^([a-z0-9-]+)==", listed, re.MULTILINE)


def licences() -> dict[str, str]:
    """The licence of each, as an SPDX expression."""
    installed = {re.sub(r"[-_.]+", "-", one.name).lower(): one for one in distributions()}
    return {
        name: _ELSEWHERE[name] if name not in installed and name in _ELSEWHERE else _licence_of(installed[name])
        for name in locked()
    }


def _licence_of(package: Distribution) -> str:
    said = next(filter(None, _said(package)))
    return _SAID_OTHERWISE.get(said, said)


def _said(package: Distribution) -> Iterator[str]:
    """What a package says of its licence, the most exact first."""
    about = package.metadata
    yield from about.get_all("License-Expression", [])
    yield from (stated for stated in about.get_all("License", []) if len(stated) < 40)
    classifiers: list[str] = about.get_all("Classifier", [])
    yield " OR ".join(one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License :: OSI"))
    raise LookupError(f"{package.name} says nothing of its licence")


def is_permissive(licence: str) -> bool:
    """Whether all that an expression asks for is permissive; of alternatives, one that is."""
    alternatives = re.split(r"\s+OR\s+", licence.replace("(", "").replace(")", ""))
    if " AND " not in licence:
        return not PERMISSIVE.isdisjoint(alternatives)
    return all(part in PERMISSIVE for part in re.split(r"\s+(?:AND|OR)\s+", licence.replace("(", "").replace(")", "")))


def page() -> str:
    """The page."""
    rows = (
        f"| {name} | {licence}{f' ({USED_AS_THEY_ARE[name]})' if name in USED_AS_THEY_ARE else ''} |"
        for name, licence in sorted(licences().items())
    )
    return _HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} is written\n")
