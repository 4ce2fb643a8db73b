"""A daemon on its own local service, and three jobs for it: by HTTP, by the inbox and by the command line.

With `--look` it waits for Enter before it hands them in and before it ends, so that you can look at the page.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

PROGRAM = (sys.executable, "-m", "orchestrator")
EXAMPLE = Path(__file__).resolve().parents[1] / "topnwords"
LIMIT = 120.0
TO_BE_SEEN = 5
"""Seconds that tasks take where somebody looks."""


def until(condition: Callable[[], object], what: str) -> None:
    """Look until something holds, with a limit."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"daemon-demo: not within {LIMIT:.0f} s: {what}")
        time.sleep(0.1)


def by_http(state: Path, job: Mapping[str, object]) -> str:
    """POST a job; the answer means that it can't be lost any more."""
    request = urllib.request.Request(
        (state / "address").read_text().strip() + "/v1/runs",
        data=json.dumps({"job": job}).encode(),
        headers={
            "Authorization": f"Bearer {(state / 'write.token').read_text().strip()}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request) as answer:
        return str(json.load(answer)["id"])


def hello(way: str, *, seconds: int) -> dict[str, object]:
    """A job of one task, which says by which way it came."""
    pool = {
        "id": "demo-{run}",
        "vm_size": "standard_d2s_v3",
        "image": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
        "target_dedicated_nodes": 1,
    }
    command = f"sleep {seconds}; echo hello by {way}"
    return {
        "id": f"{way.lower()}-{{run}}",
        "pool": pool,
        "tasks": [{"id": "hello", "command_line": command}],
        "cleanup": {"job": "always"},
    }


def by_inbox(home: Path, job: Mapping[str, object]) -> str:
    """Move a job file into the folder; its new name in `accepted` has the run's id."""
    (home / "job.json").write_text(json.dumps(job))
    shutil.move(home / "job.json", home / "inbox" / "hello.json")
    accepted = home / "inbox" / "accepted"
    until(lambda: list(accepted.iterdir()), "the inbox is taken")
    return next(accepted.iterdir()).name.split(".")[1]


def by_command_line(environment: Mapping[str, str]) -> str:
    """Submit a job file with its input files; the run's id is printed."""
    command = [*PROGRAM, "submit", EXAMPLE / "job.toml"]
    said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return said.stdout.strip()


def show_three_runs(home: Path, state: Path, *, look: bool) -> int:
    """Hand in the three jobs, and follow them to their ends: the worst exit code."""
    environment = {**os.environ, "ORCHESTRATOR_DAEMON": str(state / "daemon.sock")}
    seconds = TO_BE_SEEN if look else 0
    print(f"the page: {(state / 'address').read_text().strip()} (its token is in {state / 'write.token'})")
    wait_for_enter("Open it, and press Enter to hand in three jobs.", look=look)
    runs = [
        by_http(state, hello("HTTP", seconds=seconds)),
        by_inbox(home, hello("inbox", seconds=seconds)),
        by_command_line(environment),
    ]
    codes = [
        subprocess.run([*PROGRAM, "watch", run, "--output", "quiet"], env=environment, check=False).returncode
        for run in runs
    ]
    subprocess.run([*PROGRAM, "list"], env=environment, check=True)
    wait_for_enter("Press Enter to end the daemon.", look=look)
    return max(codes)


def wait_for_enter(why: str, *, look: bool) -> None:
    """Let somebody look, if somebody does."""
    if look:
        print(why, flush=True)
        sys.stdin.readline()


def main() -> None:
    """Run it, and say where the results are."""
    parser = argparse.ArgumentParser(prog="daemon-demo", description=__doc__)
    parser.add_argument("--look", action="store_true", help="wait for Enter before and after")
    look = parser.parse_args().look
    home = Path(tempfile.mkdtemp(prefix="daemon-demo-"))
    state = home / "state"
    # Room for two, so that the third can be seen waiting.
    (home / "daemon.toml").write_text(
        'state_dir = "state"\n[inbox]\ndir = "inbox"\n[daemon_limits]\nmax_runs = 2\n'
    )
    with (home / "log").open("wb") as log:
        daemon = subprocess.Popen([*PROGRAM, "daemon", "--config", home / "daemon.toml"], stderr=log)
    try:
        until(lambda: (state / "address").exists() or daemon.poll() is not None, "the daemon is ready")
        if daemon.poll() is not None:
            sys.exit(f"daemon-demo: the daemon ended: {(home / 'log').read_text()}")
        code = show_three_runs(home, state, look=look)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(LIMIT)
    for path in sorted((state / "results").rglob("*.txt")):
        if path.name == "stdout.txt" or path.name.endswith("_OUTPUT.txt"):
            print(path)
    print(f"state, results and the log are in {home}")
    sys.exit(code)


if __name__ == "__main__":
    main()
