"""What is still to be done when this process is gone, however it went: no test leaves a server behind."""

import subprocess
from types import TracebackType
from typing import Self


class LastWill:
    """A shell that waits for the end of this process (or of this context), and then runs a script.

    Args:
        script, arguments: as for `sh -c`; the first argument is $0.
    """

    def __init__(self, script: str, *arguments: str) -> None:
        # `read` returns when the pipe breaks. A session of its own: what ends the test process must not end this.
        command = ["sh", "-c", f"read -r _; {script}", *arguments]
        self._shell = subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.execute()

    def execute(self) -> None:
        """Run the script now."""
        self._shell.communicate()

    def revoke(self) -> None:
        """Never run it."""
        self._shell.kill()
        self._shell.communicate()
