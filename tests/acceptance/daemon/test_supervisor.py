"""Under a supervisor such as systemd: what a real daemon tells it, over a real socket."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.acceptance.daemon.daemons import Daemon, job, until
from tests.acceptance.program import LIMIT

WATCHDOG = 2.0


class Supervised:
    """A daemon, and what it has told so far."""

    def __init__(self, daemon: Daemon, listening: socket.socket) -> None:
        self.daemon = daemon
        self._listening = listening

    def hear(self) -> dict[str, str]:
        """What is told next, but for what feeds the watchdog."""
        while (told := self._next(LIMIT)) == {"WATCHDOG": "1"}:
            pass
        return told

    def fed(self, *, within: float) -> float:
        """When the watchdog is fed next.

        Raises:
            TimeoutError: it is not.
        """
        assert self._next(within) == {"WATCHDOG": "1"}
        return time.monotonic()

    def _next(self, within: float) -> dict[str, str]:
        self._listening.settimeout(within)
        return dict(line.split("=", 1) for line in self._listening.recv(4096).decode().splitlines())

    def signal(self, number: signal.Signals) -> None:
        assert self.daemon.running is not None
        self.daemon.running.signal(number)

    def stop(self) -> None:
        """Make its loop stand still, and let go of what it told before."""
        assert self.daemon.running is not None
        process = self.daemon.running.process
        self.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._next(0)


@contextlib.contextmanager
def supervised(home: Path, env_file: Path, *, address: str) -> Iterator[Supervised]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + address[1:] if address.startswith("@") else address)
        extra = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(int(WATCHDOG * 1e6))}
        with Daemon(home, env_file, extra=extra) as daemon:
            yield Supervised(daemon, listening)


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
@pytest.mark.parametrize("kind", ["file", "abstract"])
def test_a_supervisor_is_told_of_each_step_of_the_daemon_s_life(
    kind: str, tmp_path: Path, env_file: Path
) -> None:
    address = str(tmp_path / "notify") if kind == "file" else f"@orchestrator-test-{os.getpid()}"
    with supervised(tmp_path, env_file, address=address) as it:
        assert it.hear() == {"READY": "1"}
        assert it.daemon.ask("GET", "/readyz", token=None)[0] == 200
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        it.signal(signal.SIGHUP)
        reloading = it.hear()
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        # systemd tells this reload from an earlier one by its time, of the same clock.
        assert before <= int(reloading.pop("MONOTONIC_USEC")) <= after
        assert reloading == {"RELOADING": "1"}
        assert it.hear() == {"READY": "1"}
        run = it.daemon.submit(job("sleep 2"))
        until(lambda: it.daemon.ask("GET", f"/v1/runs/{run}/tasks")[1]["tasks"], "the run is under way")
        it.signal(signal.SIGTERM)
        assert it.hear() == {"STOPPING": "1"}
        assert it.daemon.end() == 0


def test_a_reload_that_is_refused_ends_too(tmp_path: Path, env_file: Path) -> None:
    with supervised(tmp_path, env_file, address=str(tmp_path / "notify")) as it:
        assert it.hear() == {"READY": "1"}
        (tmp_path / "daemon.toml").write_text("nonsense")
        it.signal(signal.SIGHUP)
        assert "RELOADING" in it.hear()
        assert it.hear() == {"READY": "1"}


def test_the_watchdog_is_fed_in_time_while_the_loop_turns_and_starves_while_it_does_not(
    tmp_path: Path, env_file: Path
) -> None:
    with supervised(tmp_path, env_file, address=str(tmp_path / "notify")) as it:
        assert it.hear() == {"READY": "1"}
        moments = [it.fed(within=WATCHDOG) for _ in range(6)]
        assert max(later - earlier for earlier, later in pairwise(moments)) < WATCHDOG
        it.stop()
        with pytest.raises(TimeoutError):
            it.fed(within=WATCHDOG)
        it.signal(signal.SIGCONT)
        it.fed(within=WATCHDOG)
