"""A compute node of the local service: a small process of its own that spawns the tasks.

`NodeProcess` is the service's end of the line to it. No task or scope of its own is open between calls,
so a node may be started, used and closed from any asyncio task.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self, cast

import structlog

from orchestrator.local.batch.execution import Execution, Outcome, TransferFault
from orchestrator.local.batch.isolation import UserRange
from orchestrator.local.batch.search_path import inherited_environment
from orchestrator.local.node_agent import folders, processes
from orchestrator.local.node_agent.confinement import inside
from orchestrator.local.node_agent.users import ADMINISTRATOR

_log = structlog.get_logger("orchestrator.local")

# The agent imports nothing from site packages, nor anything of ours but its own folder: it stays small.
_BOOT = "import sys; sys.path.append(sys.argv[1]); from node_agent.main import main; main(sys.argv[2])"
_PACKAGE_FOLDER = str(Path(folders.__file__).parent.parent)
# For downloads by https from servers whose certificates the user chose to trust.
_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR")

_START_LIMIT = 30.0
_CLOSE_LIMIT = 10.0


class NodeStartError(RuntimeError):
    """The node's process did not start; the message says why."""


class NodeProcess:
    """A node agent's process and what runs on it; implements `Node`.

    Make one with `start`. `lost` is set when the process died by itself; by then all its commands are
    dead too.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.lost = asyncio.Event()
        self._protocol = _AgentProtocol(self._on_event, self._on_exit)
        self._transport: asyncio.SubprocessTransport | None = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gone = asyncio.Event()
        self._closing = False
        self._running: dict[str, _Running] = {}
        self._removals: dict[int, asyncio.Future[str | None]] = {}
        self._requests = itertools.count(1)
        self._users: UserRange | None = None

    @classmethod
    async def start(
        cls,
        root: Path,
        *,
        isolate_users: bool = False,
        transfer_attempts: int = 5,
        transfer_timeout: float = 30.0,
        trust: Mapping[str, str] | None = None,
    ) -> Self:
        """Start a node's process and wait until it takes orders.

        Args:
            root: the node's folder; made, with its layout, if it is not there.
            isolate_users: run commands that are no administrators' as users of their own; see `isolation`.
            transfer_attempts: of one request for a resource or output file, the first included.
            transfer_timeout: seconds without a byte in such a request.
            trust: variables that tell programs which certificates to trust, for commands and transfers.

        Returns:
            The node.

        Raises:
            IsolationError: if there are no user ids for it.
            NodeStartError: if the process can't be started or another one uses the root.
        """
        node = cls(root.absolute())  # noqa: ASYNC240  # no I/O, unlike resolve()
        try:
            if isolate_users:
                node._users = await asyncio.to_thread(UserRange.of_node, node._root)
            await node._start(transfer_attempts, transfer_timeout, trust or {})  # its own class
        except BaseException:
            await node.close()
            raise
        return node

    @property
    def root(self) -> Path:
        """The folder that AZ_BATCH_NODE_ROOT_DIR names."""
        return self._root

    @property
    def pid(self) -> int:
        """The process id of the agent."""
        assert self._transport is not None  # noqa: S101  # for the type: `start` gives no node without it
        return self._transport.get_pid()

    async def execute(self, execution: Execution, *, on_started: Callable[[datetime], None]) -> Outcome:
        """Run a command to the end and tell how it went; see `Node`.

        When the caller is cancelled, the command is killed, and nobody learns how it ended.

        Args:
            execution: what to run.
            on_started: called once, before downloads begin, with the start time.

        Returns:
            How it ended; `lost` when the node's process died first.

        Raises:
            ValueError: if the directory leaves the root, or the execution runs already.
        """
        inside(self._root, execution.directory)
        if execution.execution_id in self._running:
            raise ValueError(f"execution {execution.execution_id!r} runs already")
        running = _Running(on_started)
        if self._gone.is_set() or self._closing:
            return running.lost()
        self._running[execution.execution_id] = running
        self._send(
            {
                "do": "execute",
                "id": execution.execution_id,
                "command_line": execution.command_line,
                "directory": execution.directory,
                "environment": dict(execution.environment),
                "resource_files": [dict(file) for file in execution.resource_files],
                "output_files": [dict(file) for file in execution.output_files],
                "limit": execution.max_wall_clock_seconds,
                "user": ADMINISTRATOR if execution.elevated else execution.user,
                "readable": execution.readable,
                "final": execution.final_attempt,
                "download_fault": _fault(execution.download_fault),
                "upload_fault": _fault(execution.upload_fault),
            }
        )
        try:
            return await asyncio.shield(running.outcome)
        except asyncio.CancelledError:
            self._send_kill(execution.execution_id, "TaskEnded", "Task Was Ended by User Request")
            raise

    async def kill(self, execution_id: str, *, code: str, message: str) -> None:
        """End an execution and all it started; returns when it has ended. One that is over is fine.

        Args:
            execution_id: of `Execution`.
            code: of the failure that its Outcome carries.
            message: of that failure.
        """
        running = self._running.get(execution_id)
        if running is not None:
            self._send_kill(execution_id, code, message)
            await asyncio.shield(running.outcome)

    async def remove(self, directory: str) -> None:
        """Delete a folder below the root; nothing there is fine.

        Args:
            directory: relative to the root.

        Raises:
            ValueError: if it leaves the root or is the root.
            OSError: if something stays.
        """
        path = inside(self._root, directory)
        if self._gone.is_set() or self._closing:
            await asyncio.to_thread(folders.remove_tree, path)
            return
        request = next(self._requests)
        answer = self._removals[request] = asyncio.get_running_loop().create_future()
        self._send({"do": "remove", "request": request, "directory": directory})
        error = await answer
        if error is not None:
            raise OSError(error)

    async def died(self) -> bool:
        """Wait for the end of the agent and of all it ran; tell whether it came without an order."""
        await self._gone.wait()
        return self.lost.is_set()

    def lose(self) -> None:
        """Kill the agent, as a machine's power failure would; what runs is lost."""
        if self._transport is not None and not self._gone.is_set():
            self._transport.kill()

    async def close(self) -> None:
        """Kill everything that runs and end the node's process; what runs is lost. May be called again."""
        self._closing = True
        if self._transport is None:
            self._release_users()
            return
        # The end of its input is what tells the agent to end everything, itself last.
        pipe = self._transport.get_pipe_transport(0)
        if pipe is not None:
            pipe.close()
        try:
            await asyncio.wait_for(self._gone.wait(), _CLOSE_LIMIT)
        except TimeoutError:
            _log.warning("node.agent.stuck", root=str(self._root), pid=self.pid)
            self._transport.kill()
            await self._gone.wait()
        finally:
            self._transport.close()

    async def _start(self, attempts: int, timeout: float, trust: Mapping[str, str]) -> None:
        loop = asyncio.get_running_loop()
        inherited = await asyncio.to_thread(inherited_environment, os.environ)
        chosen = {name: os.environ[name] for name in _TRUST if name in os.environ}
        try:
            transport, _ = await loop.subprocess_exec(
                lambda: self._protocol,
                *(sys.executable, "-I", "-S", "-c", _BOOT, _PACKAGE_FOLDER, str(self._root)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env=inherited | chosen | dict(trust),
                start_new_session=True,  # Ctrl-C in the service's terminal is the service's to handle
            )
        except OSError as error:
            raise NodeStartError(f"the node agent could not be started: {error}") from error
        self._transport = transport
        self._send(
            {
                "do": "begin",
                "environment": inherited | dict(trust),
                "attempts": attempts,
                "timeout": timeout,
                "users": [self._users.uids.start, len(self._users.uids)] if self._users else None,
            },
        )
        try:
            await asyncio.wait_for(asyncio.shield(self._ready), _START_LIMIT)
        except TimeoutError:
            raise NodeStartError(f"the node agent did not answer within {_START_LIMIT:g} s") from None

    def _send(self, order: dict[str, Any]) -> None:
        pipe = self._transport.get_pipe_transport(0) if self._transport is not None else None
        if pipe is not None and not pipe.is_closing():
            cast("asyncio.WriteTransport", pipe).write(json.dumps(order).encode() + b"\n")

    def _release_users(self) -> None:
        users, self._users = self._users, None
        if users is not None:
            users.close()

    def _send_kill(self, execution_id: str, code: str, message: str) -> None:
        self._send({"do": "kill", "id": execution_id, "code": code, "message": message})

    def _on_event(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "ready":
                _settle(self._ready)
            case "refused":
                _refuse(self._ready, NodeStartError(event["reason"]))
            case "started":
                self._running[event["id"]].begin(datetime.fromisoformat(event["at"]))
            case "spawned":
                self._running[event["id"]].session = event["pid"]
            case "ended":
                self._running.pop(event["id"]).end(event)
            case "removed":
                answer = self._removals.pop(event["request"])
                if not answer.done():
                    answer.set_result(event["error"])
            case unknown:
                _log.error("node.agent.unknown_event", name=unknown)

    def _on_exit(self, returncode: int | None) -> None:
        """Clean up after the agent, then tell everybody: requeued work must not meet its former self."""
        _refuse(self._ready, NodeStartError(f"the node agent ended with {returncode} before it was ready"))
        if not self._closing:
            _log.error(
                "node.agent.died", root=str(self._root), returncode=returncode, running=len(self._running)
            )
        sessions = {running.session for running in self._running.values() if running.session is not None}
        mark = processes.marker("AZ_BATCH_NODE_ROOT_DIR", str(self._root))
        users = self._users.uids if self._users is not None else ()
        kill = partial(processes.kill_everywhere, mark, sessions, users=users)
        sweep = asyncio.get_running_loop().run_in_executor(None, kill)
        sweep.add_done_callback(self._after_exit)

    def _after_exit(self, sweep: asyncio.Future[bool]) -> None:
        if sweep.cancelled() or sweep.exception() is not None or not sweep.result():
            _log.error("node.processes.left", root=str(self._root))
        for running in self._running.values():
            if not running.outcome.done():
                running.outcome.set_result(running.lost())
        self._running.clear()
        self._release_users()
        for answer in self._removals.values():
            if not answer.done():
                answer.set_result("the node's process ended")
        self._removals.clear()
        if not self._closing:
            self.lost.set()
        self._gone.set()


class _Running:
    """One execution that the agent was told to run."""

    def __init__(self, on_started: Callable[[datetime], None]) -> None:
        self._on_started = on_started
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.session: int | None = None
        self._started_at: datetime | None = None

    def begin(self, at: datetime) -> None:
        self._started_at = at
        try:
            self._on_started(at)
        except Exception:  # border: a listener's mistake must not end the line to the node
            _log.exception("node.listener.failed")

    def end(self, event: dict[str, Any]) -> None:
        if not self.outcome.done():
            self.outcome.set_result(
                Outcome(
                    exit_code=event["exit_code"],
                    failure=event["failure"],
                    started_at=datetime.fromisoformat(event["started_at"]),
                    ended_at=datetime.fromisoformat(event["ended_at"]),
                )
            )

    def lost(self) -> Outcome:
        now = datetime.now(UTC)
        return Outcome(
            exit_code=None, failure=None, started_at=self._started_at or now, ended_at=now, lost=True
        )


class _AgentProtocol(asyncio.SubprocessProtocol):
    """Cuts what the agent writes into lines; its error stream goes to the log."""

    def __init__(
        self, on_event: Callable[[dict[str, Any]], None], on_exit: Callable[[int | None], None]
    ) -> None:
        self._on_event = on_event
        self._on_exit = on_exit
        self._transport: asyncio.SubprocessTransport | None = None
        self._rest = {1: b"", 2: b""}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        *lines, self._rest[fd] = (self._rest[fd] + data).split(b"\n")
        for line in lines:
            if fd == 1:
                self._on_event(json.loads(line))
            else:
                _log.warning("node.agent.stderr", line=line.decode(errors="replace"))

    def connection_lost(self, exc: Exception | None) -> None:
        # Called when the process is over and all it wrote has been read.
        assert self._transport is not None  # noqa: S101  # for the type
        self._on_exit(self._transport.get_returncode())


def _fault(fault: TransferFault | None) -> dict[str, Any] | None:
    return None if fault is None else dataclasses.asdict(fault)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _refuse(future: asyncio.Future[None], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # nobody may be waiting any more
