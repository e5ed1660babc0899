"""All that the lock names is looked up for known holes: `make audit`.

What could not be looked up counts as a failure: a silent service is not a clean bill.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PIP_AUDIT = "pip-audit==2.10.1"


def main() -> int:
    """The exit status: 1 where there are holes, 2 where not everything could be looked up."""
    uv = sorted(ROOT.glob(".uv/*/bin/uv"))[-1]
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        options: list[str | Path] = [
            "--quiet",
            "--frozen",
            "--no-dev",
            "--all-extras",
            "--no-emit-project",
            "--output-file",
            wanted,
        ]
        subprocess.run([uv, "export", *options], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        audit = ["pip-audit", "--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
        command: list[str | Path] = [
            uv,
            "run",
            "--quiet",
            "--isolated",
            "--no-project",
            "--with",
            PIP_AUDIT,
            "--",
            *audit,
        ]
        done = subprocess.run([*command, "--requirement", wanted], cwd=ROOT, capture_output=True, text=True)
    status, lines = judge(done.stdout, done.stderr)
    sys.stdout.write("\n".join(lines) + "\n")
    return status


def judge(answer: str, errors: str) -> tuple[int, list[str]]:
    """What pip-audit's answer comes to: an exit status, and what to say."""
    try:
        packages: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except (ValueError, KeyError):
        reason = (errors.strip().splitlines() or ["it said nothing"])[-1]
        return 2, [f"audit: NOTHING WAS AUDITED: the list of known holes could not be asked: {reason}"]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    found = [
        f"audit: {package['name']} {package['version']}: {hole['id']}, mended in {hole['fix_versions'] or 'no release'}"
        for package in packages
        for hole in package.get("vulns", ())
    ]
    if len(unknown) == len(packages):
        return 2, ["audit: NOTHING WAS AUDITED: the list of known holes tells nothing here"]
    if unknown:
        found.append(f"audit: could not be looked up: {', '.join(unknown)}")
    if found:
        return 1 if len(found) > bool(unknown) else 2, found
    return 0, [f"audit: no known hole in {len(packages)} packages"]


if __name__ == "__main__":
    sys.exit(main())
