"""The command `tunetrack`.

    command.py      the command as a whole: its groups, `--version`, `main`
    environment.py  TUNETRACK_…: files that hold settings, and names that are no settings
    serve.py        `serve` and `secret-key`; server.py is the process that serves
    options.py      options that several commands take
    keys.py         `keys create`, `list`, `revoke`
    data.py         `backup`, `copy`, `check`, `import`
    watch.py        `watch`
    doctor.py       `doctor`
    database.py     the database that a command works on; where there is none to be had, one line that says why
    failing.py      how a command ends that cannot do it

What a command needs is imported when it runs: help and completion of the shell wait for none of it.
"""

from app.cli.command import cli, main

__all__ = ["cli", "main"]
