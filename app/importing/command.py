"""`tunetrack import`: picks the source, shows how far it is, and says what came of it."""

import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

from app.domain.addresses import around_proxies
from app.domain.legible import legible
from app.importing.mlflow_file import MlflowFile, is_sqlite
from app.importing.mlflow_server import MlflowServer
from app.importing.own_files import OwnFiles
from app.importing.steps import CannotImport, Source, Step
from app.importing.transfer import Tally, Transfer

_TIMEOUT_S = 60.0


def import_from(
    sources: Sequence[str], url: str, key: str | None, console: Console, verify: ssl.SSLContext | bool = True
) -> Tally:
    """Bring all runs of the sources into the service at `url`.

    Args:
        sources: files of our export, or one MLflow SQLite file, or the address of one tracking server.
        url: may hold a name and password, which are sent, and never shown.
        verify: as httpx has it.

    Raises:
        CannotImport: a source cannot be read, or the service takes nothing.
    """
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    try:
        source, address = _open(sources), httpx.URL(url.rstrip("/"))
    except (httpx.InvalidURL, ValueError):  # what they say may hold part of a password
        raise CannotImport("an address is not valid; expected one such as http://127.0.0.1:8000") from None
    auth = (address.username, address.password) if address.userinfo else None
    shown = address.copy_with(userinfo=b"")
    mounts = around_proxies(shown.host)
    service = httpx.Client(base_url=shown, auth=auth, headers=headers, timeout=_TIMEOUT_S, verify=verify, mounts=mounts)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with service, Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        transfer = Transfer(service, lambda text: console.print(escape(legible(text)), soft_wrap=True, highlight=False))
        transfer.do(_watched(source, progress))
    return transfer.tally


def _open(sources: Sequence[str]) -> Source:
    servers = [source for source in sources if source.startswith(("http://", "https://"))]
    paths = [Path(source.removeprefix("sqlite:///")) for source in sources if source not in servers]
    databases = [path for path in paths if is_sqlite(path)]
    if (servers or databases) and len(sources) > 1:
        raise CannotImport("an MLflow file or server must be imported alone; only exports of tunetrack may be combined")
    if servers:
        return MlflowServer(servers[0])
    return MlflowFile(databases[0]) if databases else OwnFiles(paths)


def _watched(source: Source, progress: Progress) -> Iterator[Step]:
    task = progress.add_task("importing", total=None)
    for step in source.steps():
        progress.update(task, total=source.size, completed=source.position)
        yield step
    progress.update(task, total=source.size, completed=source.position)


def told(tally: Tally) -> str:
    """What came of it, in a line."""
    known = tally.runs - tally.runs_new
    there = f" ({known:,} were there already)" if known else ""
    bad = f"; {tally.bad:,} things were left out, see above" if tally.bad else ""
    return f"{tally.runs_new:,} runs came in{there}, {tally.values_new:,} metric values of {tally.epochs:,} epochs{bad}"


__all__ = ["CannotImport", "import_from", "told"]
