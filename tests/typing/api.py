"""Uses the whole public API as a caller would; type-checked, never run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import assert_type

from orchestrator import (
    ApplicationSpec,
    CleanupSpec,
    CleanupWhen,
    Duration,
    Event,
    FrozenMapping,
    ImageSpec,
    JobResult,
    JobRun,
    JobSpec,
    Limits,
    Orchestrator,
    OrchestratorError,
    OutputFile,
    PoolSpec,
    ResourceFile,
    SecretReference,
    ServiceError,
    SpecError,
    StartTaskSpec,
    TaskEvent,
    TaskFactory,
    TaskFailed,
    TaskFailedError,
    TaskResult,
    TaskSpec,
    UploadBy,
    UploadCondition,
    job_schema,
    load_job,
)
from orchestrator.local import LocalService


def in_code() -> JobSpec:
    return JobSpec(
        id="in-code-{run}",
        pool=PoolSpec(
            id="small",
            vm_size="standard_d2s_v3",
            image=ImageSpec(publisher="canonical", offer="ubuntu-24_04-lts", sku="server"),
            target_dedicated_nodes=2,
            start_task=StartTaskSpec(commands=("true",)),
        ),
        application=ApplicationSpec(files=("program.py",)),
        task_factory=TaskFactory(per_file="data/*.txt", command_line="wc {file}", upload=UploadBy.BATCH),
        tasks=(
            TaskSpec(
                id="one",
                command_line="python3 {application}/program.py",
                resource_files=("a.txt", ResourceFile(path="b.txt", file_mode="0755")),
                output_files=("*.out", OutputFile(pattern="x", condition=UploadCondition.TASK_SUCCESS)),
                environment=FrozenMapping({"TOKEN": SecretReference("env:TOKEN")}),
            ),
        ),
        timeout=Duration("20m"),
        cleanup=CleanupSpec(pool=CleanupWhen.ASK),
    )


async def asked(kind: str, name: str) -> bool:
    return kind == "pool" and name == "small"


async def each_failure(event: TaskFailed) -> None:
    assert_type(event.exit_code, int | None)


def each_event(event: Event) -> None:
    print(event.time, event.run_id)


async def main(answer: Callable[[str, str], Awaitable[bool]] = asked) -> None:
    print(job_schema()["$schema"])
    async with Orchestrator.local(limits=Limits(uploads=4), journal_dir=Path("journal"), ask=answer) as local:
        assert_type(local, Orchestrator)
        local.on(TaskFailed, each_failure)
        local.on(Event, each_event)
        run = await local.submit(load_job("job.toml"))
        assert_type(run, JobRun)
        async for result in run.results():
            assert_type(result, TaskResult)
            try:
                result.raise_for_failure()
            except TaskFailedError as error:
                print(error.key.task_id, error.failure)
        async for event in run.events(TaskEvent):
            print(event)
        run.cancel("enough")
        ended = await run.wait()
        assert_type(ended, JobResult)
        print(run.run_id, run.job_id, run.progress.tasks, ended.elapsed, ended.leftovers)
    try:
        async with Orchestrator.from_env({}, config=Path("orchestrator.toml")) as azure:
            await azure.submit(in_code())
            runs: tuple[JobRun, ...] = await azure.resume()
            left: tuple[str, ...] = await azure.finish_clean_up()
            print(runs, left, await azure.unfinished())
    except (SpecError, ServiceError) as error:
        print(error)
    except OrchestratorError:
        raise
    async with LocalService(state_dir=Path("state")) as service:
        assert_type(service.settings.as_environment(), dict[str, str])
