"""The command line as a user's process, in an environment of its own."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

LIMIT = 60.0
PROGRAM = (sys.executable, "-m", "orchestrator")
ROOT = Path(__file__).resolve().parents[2]


def user_environment(home: Path) -> dict[str, str]:
    """What a user's shell gives: no account, no setting of ours, state in a folder of the test."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "ORCHESTRATOR_"))
    }
    return {
        **inherited,
        "XDG_STATE_HOME": str(home / "state"),
        "PYTHONWARNINGS": "error",
        "COLUMNS": "200",
        "TERM": "xterm",
    }


def orchestrator(
    *arguments: object, home: Path, cwd: Path | None = None, extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with stdin closed and no terminal."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=cwd or home,
        env={**user_environment(home), **(extra or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


class Running:
    """A command that goes on; its output is read line by line, each with a limit.

    Args:
        arguments: of the program.
        home: where its state goes.
        stdin: what it reads from; nothing by default.
        stdout: where its output goes; a pipe to `line` by default.
        stderr: where its remarks go; a pipe to `end` by default.
        program: what is run, if not ours as it is.
        cwd: where; in `home` by default.
        extra: more of its environment.
    """

    def __init__(
        self,
        *arguments: object,
        home: Path,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        program: Sequence[str] = PROGRAM,
        cwd: Path | None = None,
        extra: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.process = subprocess.Popen(
            [*program, *map(str, arguments)],
            cwd=cwd or home,
            env={**user_environment(home), **extra},
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        self.process.wait(LIMIT)

    def line(self) -> str | None:
        """The next line of stdout without its end, None at its end.

        Raises:
            TimeoutError: none came in time.
        """
        assert self.process.stdout is not None
        deadline = time.monotonic() + LIMIT
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    raise TimeoutError(f"no line in {LIMIT:.0f} s")
                came = os.read(self.process.stdout.fileno(), 65536)
                if not came:
                    return None
                self._buffer += came
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()

    def event(self) -> dict[str, Any] | None:
        """The next event of `--output json`, None after the last."""
        line = self.line()
        return None if line is None else json.loads(line)

    def until(self, name: str) -> dict[str, Any]:
        """Read events up to the first of this class."""
        while (event := self.event()) is not None:
            if event["event"] == name:
                return event
        raise AssertionError(f"it ended without {name}: {self.end()}")

    def stop_reading(self) -> None:
        """Close the reading end of its output, as `head` does when it has enough."""
        assert self.process.stdout is not None
        self.process.stdout.close()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program, as a terminal does with Ctrl-C."""
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for its end: the exit code, and what it said on stderr."""
        _, said = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, (said or b"").decode()


def processes_with(marker: str) -> list[int]:
    """Ids of processes whose command line or environment holds a marker."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if marker.encode() in told and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found
