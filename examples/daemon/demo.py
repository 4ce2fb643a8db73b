"""A daemon on its own local service, and three jobs for it: by HTTP, by the inbox and by the command line."""

from __future__ import annotations

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


def main() -> None:
    """Run it, and say where the results are."""
    home = Path(tempfile.mkdtemp(prefix="daemon-demo-"))
    state, inbox = home / "state", home / "inbox"
    (home / "daemon.toml").write_text('state_dir = "state"\n[inbox]\ndir = "inbox"\n')
    environment = {**os.environ, "ORCHESTRATOR_DAEMON": str(state / "daemon.sock")}
    with (home / "log").open("wb") as log:
        daemon = subprocess.Popen([*PROGRAM, "daemon", "--config", home / "daemon.toml"], stderr=log)
    try:
        until(lambda: (state / "address").exists() or daemon.poll() is not None, "the daemon is ready")
        if daemon.poll() is not None:
            sys.exit(f"daemon-demo: the daemon ended: {(home / 'log').read_text()}")
        pool = {
            "id": "demo-{run}",
            "vm_size": "standard_d2s_v3",
            "image": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
            "target_dedicated_nodes": 1,
        }
        tasks = [{"id": "hello", "command_line": "echo hello by HTTP"}]
        job = {"id": "http-{run}", "pool": pool, "tasks": tasks, "cleanup": {"job": "always"}}
        runs = [by_http(state, job)]
        tasks = [{"id": "hello", "command_line": "echo hello by the inbox"}]
        (home / "inbox.json").write_text(json.dumps({**job, "id": "inbox-{run}", "tasks": tasks}))
        shutil.move(home / "inbox.json", inbox / "hello.json")
        said = subprocess.run(
            [*PROGRAM, "submit", EXAMPLE / "job.toml"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        runs.append(said.stdout.strip())
        until(lambda: list((inbox / "accepted").iterdir()), "the inbox is taken")
        runs.append(next((inbox / "accepted").iterdir()).name.split(".")[1])
        codes = [
            subprocess.run(
                [*PROGRAM, "watch", run, "--output", "quiet"], env=environment, check=False
            ).returncode
            for run in runs
        ]
        subprocess.run([*PROGRAM, "list"], env=environment, check=True)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(LIMIT)
    for path in sorted((state / "results").rglob("*.txt")):
        if path.name == "stdout.txt" or path.name.endswith("_OUTPUT.txt"):
            print(path)
    print(f"state, results and the log are in {home}")
    sys.exit(max(codes))


if __name__ == "__main__":
    main()
