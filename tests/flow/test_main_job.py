"""The whole way: files go up, tasks run as real processes, outputs come down as each task ends."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from azure.batch.aio import BatchClient
from azure.core.credentials import AzureNamedKeyCredential

import node_task
from orchestrator import (
    Event,
    InputStaged,
    JobSpec,
    Orchestrator,
    OutputDownloaded,
    RunFinished,
    RunOutcome,
    TaskAbandoned,
    TaskCompleted,
    TaskFailed,
)

Make = Callable[..., JobSpec]
COPY = "cat {file} > copied.txt"

NASTY = [
    "plain.txt",
    "two words.txt",
    "it's.txt",
    'say "hi".txt',
    "$(touch pwned).txt",
    "`touch pwned`.txt",
    "-rf",
    "--help",
    "new\nline.txt",
    "tab\there.txt",
    "semi;colon&amp.txt",
    "star*?[x].txt",
    "back\\slash.txt",
    "percent%41%2F.txt",
    "hash#and?query=1.txt",
    "{file}{index}{run}.txt",
    "$HOME ${PATH}.txt",
    "日本語の名前.txt",
    "имя файла.txt",
    "emoji 🎉.txt",
    "ÅNGSTRÖM.txt",
    ".hidden",
    "trailing space ",
    "dot.",
    "~root",
    "!history!",
    "a=b,c:d@e",
    "x" * 180,
]


def settings_of(env_file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in env_file.read_text().splitlines())


def batch_client(env_file: Path) -> BatchClient:
    told = settings_of(env_file)
    return BatchClient(
        told["AZURE_BATCH_ENDPOINT"],
        AzureNamedKeyCredential(told["AZURE_BATCH_ACCOUNT"], told["AZURE_BATCH_ACCESS_KEY"]),
    )


async def test_each_file_becomes_a_task_and_its_output_a_result(
    orchestrator: Orchestrator, job: Make, tmp_path: Path
) -> None:
    for index in range(5):
        (tmp_path / f"in{index}.txt").write_text(f"content {index}")
    spec = job(task_factory={"per_file": "in*.txt", "command_line": COPY, "output_files": ["copied.txt"]})
    async with orchestrator:
        run = await orchestrator.submit(spec)
        results = {result.input_name: result async for result in run.results()}
        told = await run.wait()
    assert told.outcome is RunOutcome.SUCCEEDED
    assert (told.tasks, told.succeeded, told.leftovers) == (5, 5, ())
    for index in range(5):
        result = results[f"in{index}.txt"]
        found = {path.name: path for path in result.outputs}
        assert found["copied.txt"].read_text() == f"content {index}"
        assert found.keys() >= {"stdout.txt", "stderr.txt"}
        expected = tmp_path / "results" / run.job_id / result.key.task_id / "copied.txt"
        assert found["copied.txt"] == expected


def nasty_inputs(folder: Path) -> dict[str, bytes]:
    """300 files in a folder whose names are as bad as names can be; returns the content of each."""
    folder.mkdir()
    wanted = [*NASTY, *(f"{index} {NASTY[index % len(NASTY)]}"[:180] for index in range(len(NASTY), 300))]
    contents = {name: f"{name} {index}\n".encode() for index, name in enumerate(wanted)}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return contents


def assert_nothing_was_executed(folder: Path) -> None:
    assert not list(folder.rglob("pwned"))


def assert_work_overlaps(told: list[Event], *, tasks: int) -> None:
    """Downloads began before the last task ended, uploads overlapped, and each task ended once."""
    downloads = [index for index, event in enumerate(told) if isinstance(event, OutputDownloaded)]
    ends = [index for index, event in enumerate(told) if isinstance(event, TaskCompleted)]
    assert downloads[0] < ends[-1]
    staged = sorted((e.started_at, e.time) for e in told if isinstance(e, InputStaged))
    assert any(later[0] < earlier[1] for earlier, later in itertools.pairwise(staged))
    ended = [event.key.task_id for event in told if isinstance(event, TaskCompleted | TaskAbandoned)]
    assert len(ended) == len(set(ended)) == tasks


async def test_300_nasty_names_all_arrive_none_renamed_none_executed(
    orchestrator: Orchestrator, job: Make, tmp_path: Path
) -> None:
    contents = nasty_inputs(tmp_path / "inputs")
    spec = job(
        task_factory={
            "per_file": ["inputs/*", "inputs/.*"],
            "command_line": f"ls -A > listing.txt; {COPY}",
            "output_files": ["copied.txt", "listing.txt"],
        },
    )
    events: list[Event] = []
    orchestrator.on(Event, events.append)
    async with orchestrator:
        run = await orchestrator.submit(spec)
        results = {result.input_name: result async for result in run.results()}
        told = await run.wait()
    assert told.outcome is RunOutcome.SUCCEEDED, told.error
    assert results.keys() == contents.keys()
    for name, content in contents.items():
        found = {path.name: path for path in results[name].outputs}
        assert found["copied.txt"].read_bytes() == content, name
        assert name in found["listing.txt"].read_text()
    assert_nothing_was_executed(tmp_path)
    assert_work_overlaps(events, tasks=300)


async def test_the_task_program_brings_back_its_outputs_under_nasty_names(
    orchestrator: Orchestrator, job: Make, tmp_path: Path
) -> None:
    contents = nasty_inputs(tmp_path / "inputs")
    spec = job(
        application={"files": [str(Path(node_task.__file__).parent)]},
        task_factory={
            "per_file": ["inputs/*", "inputs/.*"],
            "command_line": "python3 {application}/node_task.pyz topwords {file} --numwords 3",
            "upload": "task",
        },
    )
    async with orchestrator:
        run = await orchestrator.submit(spec)
        results = {result.input_name: result async for result in run.results()}
        told = await run.wait()
    assert told.outcome is RunOutcome.SUCCEEDED, told.error
    assert results.keys() == contents.keys()
    for name in contents:
        stem, dot, suffix = name.rpartition(".") if "." in name[1:] else (name, "", "")
        expected = f"{stem}_OUTPUT{dot}{suffix}"
        assert expected in {path.name for path in results[name].outputs}, name
    assert_nothing_was_executed(tmp_path)


async def test_downloads_happen_while_tasks_still_run_and_uploads_overlap(
    orchestrator: Orchestrator, job: Make, tmp_path: Path
) -> None:
    for index in range(12):
        (tmp_path / f"in{index:02}.txt").write_bytes(os.urandom(200_000))
    spec = job(
        task_factory={
            "per_file": "in*.txt",
            "command_line": "md5sum < {file} > sum.txt; sleep {index}e-1",
            "output_files": ["sum.txt"],
        }
    )
    told: list[Event] = []
    orchestrator.on(Event, told.append)
    async with orchestrator:
        run = await orchestrator.submit(spec)
        await run.wait()
    assert_work_overlaps(told, tasks=12)
    assert isinstance(told[-1], RunFinished)
    assert [event.sequence for event in told] == sorted(event.sequence for event in told)
    for path in (tmp_path / "results" / run.job_id).glob("*/sum.txt"):
        index = int(path.parent.name[-2:])
        expected = hashlib.md5((tmp_path / f"in{index:02}.txt").read_bytes()).hexdigest()
        assert path.read_text().split()[0] == expected


async def test_the_first_task_runs_before_the_last_file_is_up(
    orchestrator: Orchestrator, job: Make, tmp_path: Path
) -> None:
    for index in range(1500):
        (tmp_path / f"in{index:04}.txt").write_text(f"content {index}")
    spec = job(
        timeout="2m",
        task_factory={"per_file": "in*.txt", "command_line": "test -s {file}"},
    )
    told: list[Event] = []
    orchestrator.on(InputStaged, told.append)
    orchestrator.on(TaskCompleted, told.append)
    async with orchestrator:
        run = await orchestrator.submit(spec)
        with anyio.fail_after(60):
            async for _ in run.results():
                break
        assert sum(isinstance(event, InputStaged) for event in told) < 1500
        run.cancel("seen enough")
        assert (await run.wait()).leftovers == ()


async def test_files_of_the_same_content_go_up_once(
    orchestrator: Orchestrator, job: Make, tmp_path: Path
) -> None:
    for index in range(20):
        (tmp_path / f"in{index:02}.txt").write_text("the same")
    spec = job(task_factory={"per_file": "in*.txt", "command_line": COPY, "output_files": ["copied.txt"]})
    staged: list[InputStaged] = []
    orchestrator.on(InputStaged, staged.append)
    async with orchestrator:
        told = await (await orchestrator.submit(spec)).wait()
    assert told.outcome is RunOutcome.SUCCEEDED
    assert len(staged) == 20
    assert sum(not event.reused for event in staged) == 1


async def test_each_kind_of_failure_has_its_code_and_leaves_its_trace(
    orchestrator: Orchestrator, job: Make, service: Path, tmp_path: Path
) -> None:
    blob = settings_of(service)["AZURE_STORAGE_CONNECTION_STRING"].split("BlobEndpoint=")[1].split(";")[0]
    spec = job(
        tasks=[
            {"id": "good", "command_line": "echo fine > out.txt", "output_files": ["out.txt"]},
            {"id": "exits", "command_line": "echo because >&2; exit 3"},
            {"id": "killed", "command_line": "echo bye >&2; kill -9 $$"},
            {
                "id": "no-input",
                "command_line": "true",
                "resource_files": [{"http_url": f"{blob}/nowhere/nothing", "file_path": "x"}],
            },
            {"id": "too-long", "command_line": "echo begun >&2; sleep 60", "max_wall_clock_time": "1s"},
            {"id": "no-program", "command_line": "no-such-program at all", "shell": False},
        ]
    )
    failed: dict[str, TaskFailed] = {}
    orchestrator.on(TaskFailed, lambda event: failed.update({event.key.task_id: event}))
    async with orchestrator:
        run = await orchestrator.submit(spec)
        results = {result.key.task_id: result async for result in run.results()}
        told = await run.wait()
    assert told.outcome is RunOutcome.TASKS_FAILED
    assert (told.succeeded, told.failed) == (1, 5)
    codes = {
        task: (event.failure.category, event.failure.code) for task, event in failed.items() if event.failure
    }
    assert codes["exits"] == ("usererror", "FailureExitCode")
    assert codes["killed"] == ("usererror", "FailureExitCode")
    assert codes["no-input"][1] in {"BlobNotFound", "BlobAccessDenied"}
    assert codes["too-long"] == ("usererror", "TaskEnded")
    assert codes["no-program"] == ("usererror", "CommandProgramNotFound")
    assert (failed["exits"].exit_code, failed["killed"].exit_code) == (3, -9)
    assert failed["no-input"].exit_code is None

    def text(task: str, name: str) -> str:
        return {path.name: path for path in results[task].outputs}[name].read_text()

    assert text("exits", "stderr.txt") == "because\n"
    assert text("killed", "stderr.txt") == "bye\n"
    assert text("too-long", "stderr.txt") == "begun\n"
    assert codes["no-input"][1] in text("no-input", "failure.json")
    assert "CommandProgramNotFound" in text("no-program", "failure.json")
    assert text("good", "out.txt") == "fine\n"


async def test_everything_the_run_created_is_gone_afterwards(
    orchestrator: Orchestrator, job: Make, service: Path, tmp_path: Path
) -> None:
    (tmp_path / "tool.sh").write_text("echo used > out.txt")
    spec = job(
        application={"files": ["tool.sh"]},
        tasks=[{"id": "t", "command_line": "sh {application}/tool.sh", "output_files": ["out.txt"]}],
    )
    async with orchestrator:
        run = await orchestrator.submit(spec)
        told = await run.wait()
    assert told.outcome is RunOutcome.SUCCEEDED, told.error
    assert told.leftovers == told.kept == ()
    async with batch_client(service) as client:
        assert [pool.id async for pool in client.list_pools() if run.run_id in (pool.id or "")] == []
        assert [found.id async for found in client.list_jobs() if run.run_id in (found.id or "")] == []


async def test_a_time_limit_lists_what_had_not_ended_and_why(orchestrator: Orchestrator, job: Make) -> None:
    spec = job(timeout="2s", tasks=[{"id": f"t{index}", "command_line": "sleep 100"} for index in range(6)])
    gone: list[TaskAbandoned] = []
    orchestrator.on(TaskAbandoned, gone.append)
    async with orchestrator:
        run = await orchestrator.submit(spec)
        told = await run.wait()
    assert told.outcome is RunOutcome.TIMED_OUT
    assert told.error is not None
    assert "6 of 6 tasks had not ended" in told.error
    assert "t0, t1, t2, t3, t4, t5" in told.error
    assert sorted(event.key.task_id for event in gone) == [f"t{index}" for index in range(6)]
    assert told.leftovers == ()


async def test_a_start_task_that_fails_on_every_node_ends_the_run_at_once(
    orchestrator: Orchestrator, job: Make
) -> None:
    pool = {
        "id": "pool-{run}",
        "vm_size": "standard_d2s_v3",
        "image": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
        "target_dedicated_nodes": 1,
        "start_task": {"commands": ["echo broken >&2", "exit 9"], "max_task_retry_count": 0},
    }
    spec = job(timeout="100s", pool=pool, tasks=[{"id": "t", "command_line": "true"}])
    async with orchestrator:
        run = await orchestrator.submit(spec)
        with anyio.fail_after(30):
            told = await run.wait()
    assert told.outcome is RunOutcome.ERROR
    assert told.error is not None
    assert "the start task failed with exit code 9" in told.error


@pytest.mark.parametrize("uploader", ["batch", "task"])
async def test_an_expected_output_that_does_not_come_is_missing(
    orchestrator: Orchestrator, job: Make, uploader: str
) -> None:
    spec = job(tasks=[{"id": "t", "command_line": "true", "upload": uploader, "output_files": ["never.txt"]}])
    async with orchestrator:
        run = await orchestrator.submit(spec)
        results = [result async for result in run.results()]
        told = await run.wait()
    assert told.outcome is RunOutcome.OUTPUTS_MISSING
    assert any(name in ("never.txt", "manifest.json") for name, _ in results[0].missing)


async def test_preparation_and_release_tasks_run_around_the_job(
    orchestrator: Orchestrator, job: Make, tmp_path: Path
) -> None:
    mark = tmp_path / "released"
    spec = job(
        preparation={"commands": ["echo prepared > $AZ_BATCH_NODE_SHARED_DIR/prepared.txt"]},
        release={"commands": ["sleep 1", f"touch {mark}"]},  # longer than it takes to delete a pool
        tasks=[
            {
                "id": "t",
                "command_line": "cat $AZ_BATCH_NODE_SHARED_DIR/prepared.txt > out.txt",
                "output_files": ["out.txt"],
            }
        ],
    )
    async with orchestrator:
        run = await orchestrator.submit(spec)
        results = [result async for result in run.results()]
        await run.wait()
    assert {path.name: path for path in results[0].outputs}["out.txt"].read_text() == "prepared\n"
    assert mark.exists()
