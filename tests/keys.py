"""Keys of a service, as whoever may open its database makes and revokes them."""

import subprocess

from tests import nursery
from tests.server import Server


def keys(server: Server, *words: str) -> "subprocess.CompletedProcess[str]":
    """`tunetrack keys` on the server's database."""
    return nursery.run("keys", *words, "--database", server.database)


def make_key(server: Server, scope: str, *more: str) -> str:
    """A new key."""
    made = keys(server, "create", "--name", f"{scope} key", "--scope", scope, *more)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()
