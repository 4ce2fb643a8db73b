"""No key and no signature is written down anywhere, whatever goes wrong in a run."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.program import ROOT, user_environment
from tests.conformance.waiting import until
from tests.faults.secrets.relay import GARBLED, BlobRelay
from tests.faults.secrets.search import CommandLines, files_below, found_in

FAULTS = """
seed = 11
[[rules]]
on = ["*"]
probability = 0.06
fault = { kind = "refuse", status = 503 }
[[rules]]
on = ["*"]
probability = 0.03
fault = { kind = "reset_connection" }
[[rules]]
on = ["create_task_collection"]
count = 2
fault = { kind = "drop_answer" }
[[rules]]
on = ["create_task_collection"]
after = 2
count = 1
fault = { kind = "partial_collection" }
[[rules]]
match = { task = "t-1" }
fault = { kind = "fail_transfer", trouble = "denied" }
[[rules]]
match = { task = "t-2" }
fault = { kind = "expired_sas" }
[[rules]]
match = { task = "t-3" }
count = 1
fault = { kind = "lose_node", seconds = 0.3 }
"""
JOB = """
id = "job-{run}"
download_dir = "results"
timeout = "90s"
max_task_retry_count = 1
[pool]
id = "pool-{run}"
vm_size = "standard_d2s_v3"
image = { publisher = "canonical", offer = "ubuntu-24_04-lts", sku = "server" }
target_dedicated_nodes = 2
task_slots_per_node = 4
[pool.start_task]
commands = ["echo started"]
[preparation]
commands = ["cat note.txt"]
resource_files = ["note.txt"]
[application]
files = ["node_task"]
[task_factory]
per_file = "data/*.txt"
id = "t-{index}"
command_line = "python3 {application}/node_task.pyz topwords {file} --numwords 3"
upload = "task"
output_files = ["*_OUTPUT.txt"]
[[tasks]]
id = "by-batch"
command_line = "echo fine > fine.txt; exit 3"
environment = { GIVEN = { secret = "env:GIVEN" } }
output_files = ["fine.txt", "never.txt"]
[[tasks]]
id = "no-input"
command_line = "true"
resource_files = [{ http_url = { secret = "env:ELSEWHERE" }, file_path = "x" }]
[cleanup]
containers = "always"
job = "always"
pool = "always"
"""
GIVEN = "what-the-task-must-know-71c2"
ELSEWHERE = "c2lnbmVkLWVsc2V3aGVyZQ%3D%3D"


def read_settings(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def account_keys(settings: dict[str, str]) -> set[str]:
    """The Batch key, the control key, and the storage key."""
    storage = settings["AZURE_STORAGE_CONNECTION_STRING"].partition("AccountKey=")[2].partition(";")[0]
    named = {value for name, value in settings.items() if name.endswith("_KEY")}
    return named | {storage}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Path]:
    """A local service with faults, all of whose lines are kept: its settings file."""
    (tmp_path / "faults.toml").write_text(FAULTS)
    env_file = tmp_path / "private/settings.env"
    env_file.parent.mkdir()
    with (tmp_path / "told/service").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "orchestrator", "local", "--env-file", str(env_file)),
                *("--state-dir", str(tmp_path / "private/state"), "--faults", str(tmp_path / "faults.toml")),
            ],
            env={**user_environment(tmp_path), "ORCHESTRATOR_DEBUG": "1"},
            stdout=subprocess.PIPE,
            stderr=log,
        )
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"ready"
        yield env_file
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        process.stdout.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the job's files; `told` has what programs say, `private` what may hold secrets."""
    (tmp_path / "told").mkdir()
    (tmp_path / "data").mkdir()
    for number in range(12):
        (tmp_path / f"data/{number}.txt").write_text(f"word {number} " * (number + 1))
    (tmp_path / "note.txt").write_text("prepared")
    (tmp_path / "job.toml").write_text(JOB)
    (tmp_path / "node_task").symlink_to(ROOT / "node_task")
    return tmp_path


class Watched:
    """Runs programs against the service and its relay, and keeps what they say.

    Args:
        folder: of the job.
        settings: of the service, as the programs get them.
        env_file: the same as a file.
    """

    def __init__(self, folder: Path, settings: dict[str, str], env_file: Path) -> None:
        self._folder = folder
        self._extra = {
            "ORCHESTRATOR_DEBUG": "1",
            "GIVEN": GIVEN,
            "ELSEWHERE": f"{settings['AZURE_BATCH_ENDPOINT']}/nowhere?sv=2023-11-03&sig={ELSEWHERE}",
            "PYTHONPATH": str(ROOT),
        }
        self.env_file = env_file

    async def run(self, name: str, *arguments: str) -> int:
        """Run a program to its end; its output and its remarks go to files."""
        with (
            (self._folder / f"told/{name}.out").open("wb") as out,
            (self._folder / f"told/{name}.err").open("wb") as err,
        ):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                cwd=self._folder,
                env={**user_environment(self._folder), **self._extra},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
            try:
                return await asyncio.wait_for(process.wait(), 120)
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()


@pytest.mark.timeout(420)
async def test_no_secret_is_written_down_or_shown_in_the_list_of_processes(
    folder: Path, service: Path
) -> None:
    settings = read_settings(service)
    blobs = settings["AZURE_STORAGE_CONNECTION_STRING"]
    port = int(blobs.partition("BlobEndpoint=http://127.0.0.1:")[2].partition("/")[0])
    with CommandLines() as lines:
        async with BlobRelay(port, seed=3) as relay:
            settings["AZURE_STORAGE_CONNECTION_STRING"] = blobs.replace(f":{port}/", f":{relay.port}/")
            env_file = folder / "private/relayed.env"
            env_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
            env_file.chmod(0o600)
            watched = Watched(folder, settings, env_file)
            command = ("-m", "orchestrator", "run", "job.toml", "--env-file", str(env_file))
            program = ("-m", "tests.faults.secrets.program", str(env_file))
            journals = (str(folder / "journal"), str(folder / "told/library.log"))
            assert await watched.run("command", *command, "--output", "json") in {1, 6}
            assert await watched.run("library", *program, *journals, "job.toml") == 0
            relay.refuse = 403
            assert await watched.run("refused-command", *command) == 3
            assert await watched.run("refused-library", *program, *journals, "job.toml") == 0
            relay.refuse = GARBLED
            assert await watched.run("garbled-library", *program, *journals, "job.toml") == 0
            await until(lambda: relay.faults > 10, "faults")
    secrets = account_keys(settings) | relay.signatures | relay.authorizations | {ELSEWHERE, GIVEN}
    assert len(account_keys(settings)) == 3
    assert {"orchestrator-read", "orchestrator-write"} < relay.opened
    assert len(relay.signatures) > 25
    # What may hold them does: so a search that finds nothing elsewhere has looked for the right things.
    assert {secret for _, secret, _ in found_in(files_below(folder / "private"), secrets)} & relay.signatures
    places = [
        *files_below(folder / "told", folder / "results", folder / "journal", folder / "state"),
        *(("a command line", line) for line in lines.seen),
    ]
    told = b"".join(content for _, content in places)
    for said in (b"Traceback", b"request.retried", b"azure.core.pipeline", b"TaskFailed", b"SQLite format 3"):
        assert said in told, said
    assert any(b"node_task.pyz" in line for line in lines.seen)
    assert found_in(places, secrets) == []
