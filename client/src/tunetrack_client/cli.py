"""The command: what waits in the spool folder, and its delivery."""

import argparse
import os
import sys
from pathlib import Path

from tunetrack_client.backlog import default_folder
from tunetrack_client.connection import shown
from tunetrack_client.errors import TunetrackError
from tunetrack_client.sync import left_behind, sync


def main(arguments: list[str] | None = None) -> int:
    """Run the command; its exit status."""
    parser = argparse.ArgumentParser(prog="tunetrack-client", description="Deliver what trainings could not.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help in (("sync", "deliver what is kept in the spool folder"), ("status", "show what is kept there")):
        command = commands.add_parser(name, help=help, description=f"{help.capitalize()}.")
        command.add_argument("--spool", type=Path, help="the folder (default: TUNETRACK_SPOOL, else %(default)s)")
        command.set_defaults(spool=default_folder())
        if name == "sync":
            command.add_argument("--url", help="the service (default: the one that each file was meant for)")
            command.add_argument("--key", help="its API key (default: TUNETRACK_KEY)")
    chosen = parser.parse_args(arguments)
    folder = chosen.spool.expanduser()
    if chosen.command == "status":
        return _status(folder)
    return _sync(folder, chosen.url, chosen.key or os.environ.get("TUNETRACK_KEY"))


def _status(folder: Path) -> int:
    n_files = 0
    for backlog in left_behind(folder):
        n_files += 1
        _say(f"{backlog.path}: {len(backlog)} messages for {shown(backlog.url)}")
        backlog.close()
    for path in sorted(folder.glob("*.damaged")):
        n_files += 1
        _say(f"{path}: lines that are no messages; mend it, name it .jsonl and sync, or delete it")
    if not n_files:
        _say(_nothing(folder))
    return 0


def _sync(folder: Path, url: str | None, key: str | None) -> int:
    status, n_files = 0, 0
    for backlog in left_behind(folder):
        n_files += 1
        try:
            done = sync(backlog, url, key)
        except (TunetrackError, ValueError, OSError) as error:
            sys.stderr.write(f"error: {error}; {backlog.path} stays\n")
            status = 1
            continue
        refused = "".join(f", {n} refused ({code})" for code, n in sorted(done.refusals.items()))
        _say(f"{done.path}: {done.n_delivered} delivered{refused}")
        if done.failure is not None:
            sys.stderr.write(
                f"error: {done.failure}, request {done.failure.problem.get('request_id')};"
                f" {done.n_kept} messages stay in {done.kept}: sync again once the service takes them\n"
            )
            status = 1
        if done.damaged is not None:
            sys.stderr.write(
                f"error: what was left out stays in {done.damaged}:"
                " mend it, name it .jsonl and sync again, or delete it\n"
            )
            status = 1
    if not n_files:
        _say(_nothing(folder))
    return status


def _nothing(folder: Path) -> str:
    if any(folder.glob("*.jsonl")):
        return f"nothing that is kept in {folder} can be delivered now; programs that still run do that themselves"
    return f"nothing is kept in {folder}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
