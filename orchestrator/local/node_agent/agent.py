"""The node agent's loop: takes orders, runs attempts, ends what is left, tells how it went.

One thread decides and spawns; only transfers and removals run in threads of their own, which report back
through `Link.call_soon`. The loop never waits for anything but `Link.wait`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import failures, folders, launch, processes
from .attempt import Attempt, Phase, wanted
from .confinement import inside
from .failures import Failure, NodeFailure
from .link import Link, ServiceGoneError
from .patience import Patience
from .users import Users

if TYPE_CHECKING:
    from .connections import Connections
    from .transfer import Channel

_TICK = 2.0
"""Seconds between looks whether the parent is still there: a copy of the pipe may keep that open."""

_SWEEP_LIMIT = 5.0
"""Seconds for leftovers to die; one that is stuck in the kernel does not hold its task up longer."""

_ABANDON_AFTER = 3.0
"""Seconds for a broken-off transfer to end; one that still connects is left alone then."""


class Agent:
    """A node.

    Args:
        root: of the node, absolute.
        link: to the service.
        environment: what every command inherits: PATH and LANG.
        patience: of transfers.
        users: as whom commands run; None where they all run as the agent's user.
    """

    def __init__(
        self,
        *,
        root: Path,
        link: Link,
        environment: dict[str, str],
        patience: Patience,
        users: Users | None = None,
    ) -> None:
        self._root = root
        self._link = link
        self._environment = environment
        self._patience = patience
        self._users = users
        self._connections: Connections | None = None
        self._attempts: dict[str, Attempt] = {}
        self._commands: dict[int, Attempt] = {}
        self._orders: dict[str, Callable[[dict[str, Any]], None]] = {
            "execute": self._execute,
            "kill": self._kill,
            "remove": self._remove,
        }

    def serve(self) -> None:
        """Serve until the service goes away, however that happens; then end everything below."""
        parent = os.getppid()
        try:
            while os.getppid() == parent:
                orders, calls = self._link.wait(self._until_next_deadline())
                for order in orders:
                    self._orders[order["do"]](order)
                for call in calls:
                    call()
                self._look_at_clock()
                self._reap()
        except (ServiceGoneError, KeyboardInterrupt):
            pass
        finally:
            self._end_everything()

    # Orders

    def _execute(self, order: dict[str, Any]) -> None:
        directory = inside(self._root, order["directory"])
        own = {
            # What leftovers are recognised by must be true whatever a user's settings say.
            "AZ_BATCH_NODE_ROOT_DIR": str(self._root),
            "AZ_BATCH_TASK_DIR": str(directory),
            "AZ_BATCH_TASK_WORKING_DIR": f"{directory}/wd",
        }
        attempt = Attempt(
            execution_id=order["id"],
            command_line=order["command_line"],
            directory=directory,
            environment=self._environment | order["environment"] | own,
            resource_files=order["resource_files"],
            output_files=order["output_files"],
            final=order["final"],
            started_at=_now(),
            readable=order["readable"],
            download_fault=order["download_fault"],
            upload_fault=order["upload_fault"],
        )
        self._attempts[attempt.execution_id] = attempt
        self._link.tell("started", id=attempt.execution_id, at=attempt.started_at)
        try:
            if self._users is not None:
                attempt.user = self._users.find(order["user"], directory)
        except NodeFailure as refused:
            self._prepared(attempt, refused.failure)
            return
        limit = order["limit"]
        if limit is not None:
            attempt.deadline = time.monotonic() + limit
        if attempt.resource_files:
            from . import transfers  # noqa: PLC0415  # see there

            channel = attempt.channel = self._channel(attempt.download_fault)
            self._in_thread(lambda: transfers.prepare(attempt, channel), partial(self._prepared, attempt))
        elif folders.needs_clearing(directory):
            self._in_thread(lambda: _make_folder(attempt), partial(self._prepared, attempt))
        else:
            self._prepared(attempt, _make_folder(attempt))

    def _kill(self, order: dict[str, Any]) -> None:
        attempt = self._attempts.get(order["id"])
        if attempt is not None:
            attempt.kill(failures.ended(order["code"], order["message"]))
            self._break_off(attempt)

    def _remove(self, order: dict[str, Any]) -> None:
        def told(error: str | None) -> None:
            self._link.tell("removed", request=order["request"], error=error)

        self._in_thread(lambda: _remove(self._root, order["directory"]), told)

    # The way of an attempt

    def _prepared(self, attempt: Attempt, failure: Failure | None) -> None:
        if attempt.phase is not Phase.PREPARING:  # abandoned meanwhile
            return
        attempt.channel = None
        if failure is None and attempt.failure is None:
            try:
                words = launch.split(attempt.command_line)
                pid = launch.spawn(
                    words,
                    task_directory=attempt.directory,
                    environment=attempt.environment,
                    user=attempt.user,
                )
            except NodeFailure as refused:
                failure = refused.failure
            else:
                attempt.pid = pid
                attempt.move(Phase.RUNNING)
                self._commands[pid] = attempt
                self._link.tell("spawned", id=attempt.execution_id, pid=pid)
                return
        attempt.failure = attempt.failure or failure
        self._end(attempt)

    def _too_late(self, attempt: Attempt) -> None:
        attempt.deadline = None
        if attempt.phase is Phase.SWEEPING:
            self._swept(attempt)
        elif attempt.broken_off:
            self._end(attempt)
        elif attempt.phase in {Phase.PREPARING, Phase.RUNNING}:
            attempt.expire()
            self._break_off(attempt)

    def _break_off(self, attempt: Attempt) -> None:
        if attempt.phase is Phase.RUNNING and attempt.pid is not None:
            processes.send_kill_to_group(attempt.pid)
        elif attempt.channel is not None and not attempt.broken_off:
            attempt.broken_off = True
            attempt.deadline = time.monotonic() + _ABANDON_AFTER
            attempt.channel.cancel()

    def _reap(self) -> None:
        """Take in every child that ended, then look after those who wait for their leftovers to die."""
        while (pid := _ended_child()) is not None:
            attempt = self._commands.pop(pid, None)
            if attempt is not None:
                # Before it is waited for: as long as it is a zombie its number can't become another's group.
                processes.send_kill_to_group(pid)
            _, status = os.waitpid(pid, 0)
            if attempt is not None:
                attempt.command_ended(os.waitstatus_to_exitcode(status))
                attempt.move(Phase.SWEEPING)
                attempt.deadline = time.monotonic() + _SWEEP_LIMIT
        self._sweep()

    def _sweep(self) -> None:
        sweeping = [attempt for attempt in self._attempts.values() if attempt.phase is Phase.SWEEPING]
        if not sweeping:
            return
        orphans = processes.children() - self._commands.keys()
        for attempt in sweeping:
            own = {pid for pid in orphans if not self._commands or _belongs(pid, attempt)}
            for pid in own:
                processes.send_kill(pid)
            if not own:
                self._swept(attempt)

    def _swept(self, attempt: Attempt) -> None:
        assert attempt.exit_code is not None  # noqa: S101  # for the type: only a command that ended is swept
        files = wanted(attempt.output_files, attempt.exit_code) if attempt.uploads else []
        if not files:
            self._end(attempt)
            return
        attempt.move(Phase.UPLOADING)
        # The time limit is for downloads and the command; uploads have the limit of their retries.
        attempt.deadline = None
        from . import transfers  # noqa: PLC0415  # see there

        channel = attempt.channel = self._channel(attempt.upload_fault)
        self._in_thread(lambda: transfers.upload(files, attempt, channel), partial(self._uploaded, attempt))

    def _channel(self, fault: Mapping[str, Any] | None) -> Channel:
        from . import connections, transfer  # noqa: PLC0415  # see transfers

        if self._connections is None:
            self._connections = connections.Connections()
        return transfer.Channel(self._patience, fault, self._connections)

    def _uploaded(self, attempt: Attempt, failure: Failure | None) -> None:
        if attempt.phase is Phase.UPLOADING:  # not abandoned meanwhile
            attempt.uploaded(failure)
            self._end(attempt)

    def _end(self, attempt: Attempt) -> None:
        attempt.move(Phase.ENDED)
        del self._attempts[attempt.execution_id]
        self._link.tell(
            "ended",
            id=attempt.execution_id,
            exit_code=attempt.exit_code,
            failure=attempt.failure,
            started_at=attempt.started_at,
            ended_at=_now(),
        )

    def _end_everything(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(ServiceGoneError):  # what has ended is not to run again
            self._link.flush()
        for attempt in self._attempts.values():
            if attempt.channel is not None:
                attempt.channel.cancel()
        for pid in self._commands:
            processes.send_kill_to_group(pid)
        deadline = time.monotonic() + _SWEEP_LIMIT
        while (left := processes.children()) and time.monotonic() < deadline:
            for pid in left:
                processes.send_kill(pid)
            while _ended_child() is not None:
                os.waitpid(-1, os.WNOHANG)
            time.sleep(0.005)  # nothing else is left to do, and what is killed makes new orphans as it dies

    # Time and threads

    def _until_next_deadline(self) -> float:
        deadlines = [attempt.deadline for attempt in self._attempts.values() if attempt.deadline is not None]
        return max(0.0, min(_TICK, min(deadlines) - time.monotonic())) if deadlines else _TICK

    def _look_at_clock(self) -> None:
        now = time.monotonic()
        for attempt in list(self._attempts.values()):
            if attempt.deadline is not None and attempt.deadline <= now:
                self._too_late(attempt)

    def _in_thread(self, work: Callable[[], str | Failure | None], then: Callable[[Any], None]) -> None:
        def body() -> None:
            try:
                result = work()
            except BaseException as defect:
                # Nobody would ever hear of this attempt's end: better the node dies and starts again.
                error = defect
                self._link.call_soon(lambda: _fail(error))
            else:
                self._link.call_soon(lambda: then(result))

        threading.Thread(target=body, daemon=True).start()


def _fail(error: BaseException) -> None:
    raise error


def _make_folder(attempt: Attempt) -> Failure | None:
    return folders.try_make_task(attempt.directory, attempt.user, readable=attempt.readable)


def _now() -> datetime:
    return datetime.now(UTC)


def _ended_child() -> int | None:
    """Give a child that is over, without waiting for it in the sense of the system: it stays a zombie."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if found is None else found.si_pid


def _belongs(pid: int, attempt: Attempt) -> bool:
    return (
        processes.session_of(pid) == attempt.pid
        or processes.carries(pid, processes.marker("AZ_BATCH_TASK_DIR", str(attempt.directory)))
        or processes.works_in(pid, attempt.directory.resolve())
        or (attempt.user is not None and attempt.user.alone and processes.user_of(pid) == attempt.user.uid)
    )


def _remove(root: Path, directory: str) -> str | None:
    try:
        folders.remove_tree(inside(root, directory))
    except (OSError, ValueError) as error:
        return str(error)
    return None


def ignore_signals() -> None:
    """Let the wake-up pipe tell of ended children, and let polite signals end the agent and all below it."""
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
