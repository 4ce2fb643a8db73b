"""A daemon as a process of its own, and a client that knows nothing of ours."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tests.acceptance.program import LIMIT, PROGRAM, Running

JOB: dict[str, Any] = {
    "id": "job-{run}",
    "pool": {
        "id": "pool-{run}",
        "vm_size": "standard_d2s_v3",
        "image": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
        "target_dedicated_nodes": 1,
        "task_slots_per_node": 4,
    },
    "cleanup": {"containers": "always", "job": "always", "pool": "always"},
}


def job(*commands: str, **changes: Any) -> dict[str, Any]:
    """A job of one task a command."""
    tasks = [{"id": f"t-{index}", "command_line": command} for index, command in enumerate(commands)]
    return {**JOB, "tasks": tasks, **changes}


_FAST = {"poll_interval": 0.2, "poll_floor": 0.05, "pool_poll_interval": 0.2}
_SMALL = {"max_runs": 4, "listener_timeout": 2.0, "listener_buffer": 16384, "follow_interval": 0.1}


class Daemon:
    """A running daemon on a running local service.

    Args:
        home: where its configuration and state are.
        env_file: of the local service.
        config: more lines of TOML, tables last.
        limits: of every run, besides those that make tests fast.
        daemon_limits: the same of the daemon itself.
        program: what is run, if not ours as it is.
        extra: more of its environment.
    """

    def __init__(
        self,
        home: Path,
        env_file: Path,
        config: str = "",
        *,
        grace: float = 30,
        limits: Mapping[str, float] = MappingProxyType({}),
        daemon_limits: Mapping[str, float] = MappingProxyType({}),
        program: Sequence[str] = PROGRAM,
        extra: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.home = home
        self._program = program
        self._extra = extra
        self.state = home / "state"
        self.inbox = home / "inbox"
        (home / "daemon.toml").write_text(
            f'state_dir = "state"\n{config}\n[service]\nenv_file = "{env_file}"\n'
            f'[inbox]\ndir = "inbox"\npoll_interval = 0.1\n'
            f"[limits]\n{_lines({**_FAST, **limits})}"
            f"[daemon_limits]\n{_lines({**_SMALL, 'shutdown_grace': grace, **daemon_limits})}"
        )
        self.running: Running | None = None
        self._log = (home / "log").open("ab")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.running is not None:
            self.running.__exit__(kind, error, trace)
        self._log.close()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.running = Running(
            *("daemon", "--config", self.home / "daemon.toml"),
            home=self.home,
            stderr=self._log.fileno(),
            program=self._program,
            extra=self._extra,
        )
        process = self.running.process
        until(lambda: self._ready() or process.poll() is not None, "the daemon is ready")
        assert process.poll() is None, (self.home / "log").read_text()

    def _ready(self) -> bool:
        try:
            return self.ask("GET", "/readyz", token=None)[0] == 200
        except OSError:
            return False

    def kill(self) -> None:
        """Kill it as a power cut would."""
        assert self.running is not None
        self.running.signal(signal.SIGKILL)
        self.running.process.wait(LIMIT)
        self.running.__exit__(None, None, None)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end, and give its exit code."""
        assert self.running is not None
        self.running.signal(number)
        code = self.running.process.wait(LIMIT)
        self.running.__exit__(None, None, None)
        return code

    def token(self, scope: str = "write") -> str:
        return (self.state / f"{scope}.token").read_text().strip()

    def open(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = "write",
        headers: dict[str, str] | None = None,
    ) -> tuple[HTTPConnection, HTTPResponse]:
        """A request; its answer is not read yet."""
        try:
            address = urlsplit((self.state / "address").read_text().strip())
        except FileNotFoundError as error:
            raise ConnectionRefusedError from error
        connection = HTTPConnection(address.hostname or "", address.port, timeout=LIMIT)
        sent = {**({"Authorization": f"Bearer {self.token(token)}"} if token else {}), **(headers or {})}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, path, data, sent)
        return connection, connection.getresponse()

    def ask(self, method: str, path: str, body: object = None, **options: Any) -> tuple[int, Any]:
        """A request: its status, and what it was answered."""
        connection, response = self.open(method, path, body, **options)
        with closing(connection), response:
            content = response.read()
        kind = response.headers.get_content_type()
        return response.status, json.loads(content) if kind.endswith("json") and content else content

    def submit(self, wanted: dict[str, Any], **headers: str) -> str:
        """Hand in a job: the run's id."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        status, view = self.ask("POST", "/v1/runs", {"job": wanted}, headers=named)
        assert status in {200, 201}, view
        return str(view["id"])

    def ended(self, run_id: str) -> dict[str, Any]:
        """Wait for the end of a run: how it is shown then."""
        view: dict[str, Any] = {}

        def over() -> bool:
            nonlocal view
            status, view = self.ask("GET", f"/v1/runs/{run_id}")
            assert status == 200, view
            return bool(view["phase"] == "finished")

        until(over, f"run {run_id} is over")
        return view

    def events(self, path: str, *, after: int | None = None) -> Generator[tuple[int, str, dict[str, Any]]]:
        """The events of a stream: number, class, content."""
        headers = {"Last-Event-ID": str(after)} if after is not None else {}
        connection, response = self.open("GET", path, headers=headers)
        assert response.status == 200
        with closing(connection), response:
            fields: dict[str, str] = {}
            for line in response:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if value:
                    fields[name] = value
                elif fields:
                    if "data" in fields:
                        yield int(fields.get("id", 0)), fields["event"], json.loads(fields["data"])
                    fields = {}

    def said(self) -> list[dict[str, Any]]:
        """Its log."""
        return [json.loads(line) for line in (self.home / "log").read_text().splitlines()]


def _lines(values: Mapping[str, float]) -> str:
    return "".join(f"{name} = {value}\n" for name, value in values.items())


def until(condition: Callable[[], object], what: str) -> None:
    """Look again and again until something holds, with a limit."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"not within {LIMIT:.0f} s: {what}"
        time.sleep(0.05)
