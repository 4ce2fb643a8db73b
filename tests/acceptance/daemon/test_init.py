"""As PID 1 of a container: signals are passed on, orphans taken leave of, the exit code is the program's."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

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
