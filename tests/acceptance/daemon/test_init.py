"""As PID 1 of a container: signals are passed on, orphans taken leave of, the exit code is the program's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.daemon.daemons import Daemon, job, until
from tests.acceptance.program import PROGRAM as OURS
from tests.acceptance.program import Running

PROGRAM = """
import ctypes, os, signal, sys, time
from orchestrator.daemon.init import under_an_init

PR_SET_CHILD_SUBREAPER = 36  # as PID 1 is by itself
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)

def work():
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(0.2)  # outlives its parent, and is left to the init
        os._exit(0)
    os.wait()
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
    print("ready", os.getppid(), flush=True)
    while not ended:
        signal.pause()
    return 7

sys.exit(under_an_init(work))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="subreapers are Linux's")
def test_the_init_passes_sigterm_on_and_ends_as_the_daemon_does() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as init:
        assert init.stdout is not None
        assert init.stdout.readline().split() == ["ready", str(init.pid)]
        init.send_signal(signal.SIGTERM)
        assert init.wait(30) == 7


# --- in a namespace of its own, where it really is PID 1 --------------------------------------------------

IN_A_NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *OURS)


def why_not() -> str | None:
    """Why there can be no such namespace here; None where there can."""
    if sys.platform != "linux":
        return "PID namespaces are Linux's"
    if os.geteuid() != 0:
        return "a PID namespace takes root"
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return "there is no unshare or nsenter (util-linux)"
    tried = subprocess.run([*IN_A_NAMESPACE[:4], "true"], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"unshare is refused here: {tried.stderr.strip()}"


_reason = why_not()
needs_a_namespace = pytest.mark.skipif(_reason is not None, reason=_reason or "")


def children(pid: int) -> list[int]:
    """The children of a process, as the host numbers them."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def contained(tmp_path: Path, env_file: Path) -> Iterator[Daemon]:
    """A daemon that is PID 1 of a namespace of its own."""
    with Daemon(tmp_path, env_file, program=IN_A_NAMESPACE) as running:
        yield running


def pid_one(daemon: Daemon) -> int:
    """Its init, as the host numbers it: the only child of `unshare`."""
    assert daemon.running is not None
    (init,) = children(daemon.running.process.pid)
    return init


def ended(daemon: Daemon) -> int:
    """The exit code, as a container would tell it."""
    assert daemon.running is not None
    return daemon.running.end()[0]


@needs_a_namespace
def test_as_pid_1_it_drains_at_sigterm_and_ends_with_its_own_code(contained: Daemon) -> None:
    run = contained.submit(job("sleep 2; echo done"))
    until(lambda: contained.ask("GET", f"/v1/runs/{run}/tasks")[1]["tasks"], "the run is under way")
    os.kill(pid_one(contained), signal.SIGTERM)
    until(lambda: contained.ask("GET", "/readyz", token=None)[0] == 503, "it drains")
    assert ended(contained) == 0
    assert {line["run"] for line in contained.said() if line["event"] == "run.finished"} == {run}


@needs_a_namespace
def test_as_pid_1_it_takes_leave_of_orphans(contained: Daemon) -> None:
    init = pid_one(contained)
    (daemon,) = children(init)
    enter = ("nsenter", f"--target={init}", "--pid", "sh", "-c", "sleep 1 & true")
    subprocess.run(enter, check=True, timeout=30)
    orphans: set[int] = set()

    def left_behind() -> bool:
        orphans.update(set(children(init)) - {daemon})
        return bool(orphans)

    until(left_behind, "it has an orphan")
    until(lambda: not orphans & set(children(init)), "its end is noticed: until then it is a zombie")
    os.kill(init, signal.SIGTERM)
    assert ended(contained) == 0


@needs_a_namespace
def test_as_pid_1_it_tells_what_killed_the_daemon_and_leaves_no_process(contained: Daemon) -> None:
    init = pid_one(contained)
    (daemon,) = children(init)
    os.kill(daemon, signal.SIGKILL)
    assert ended(contained) == 128 + signal.SIGKILL
    assert not Path(f"/proc/{init}").exists()


@needs_a_namespace
def test_as_pid_1_it_fails_as_it_does_elsewhere(contained: Daemon) -> None:
    second = ("daemon", "--config", contained.home / "daemon.toml")
    with Running(*second, home=contained.home, program=IN_A_NAMESPACE) as running:
        code, said = running.end()
    assert code == 2
    assert "another daemon uses" in said
