"""The folder of results: writable before anything is created, and without what is no longer true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator import JobSpec, Orchestrator, PoolCreated, RunOutcome, SpecError, TaskStarted
from orchestrator.errors import PoolError
from orchestrator.events import StagingStarted
from tests.acceptance.jobs import standing

Make = Callable[..., JobSpec]


def task(name: str, **more: object) -> dict[str, object]:
    return {"id": name, "command_line": f"echo {name} > out.txt", "output_files": ["out.txt"], **more}


async def test_a_folder_that_can_not_be_made_is_told_before_anything_is_created(
    orchestrator: Orchestrator, job: Make, service: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    before = standing(service)
    async with orchestrator:
        with pytest.raises(SpecError, match=r"download_dir: .*/file/results can't be written to"):
            await orchestrator.submit(job(tasks=[task("a")], download_dir="file/results"))
    assert standing(service) == before


async def test_results_of_tasks_that_the_job_has_no_longer_are_removed_unless_somebody_changed_them(
    orchestrator: Orchestrator, job: Make, tmp_path: Path
) -> None:
    async with orchestrator:
        for names in ("abc", "a"):
            run = await orchestrator.submit(job(id="same", tasks=[task(name) for name in names]))
            assert (await run.wait()).outcome is RunOutcome.SUCCEEDED
            if names == "abc":
                (tmp_path / "results/same/c/out.txt").write_text("edited here")
                (tmp_path / "results/same/c/notes.txt").write_text("mine")
    results = tmp_path / "results/same"
    assert (results / "a/out.txt").read_text() == "a\n"
    assert not (results / "b").exists()
    assert sorted(path.name for path in (results / "c").iterdir()) == ["notes.txt", "out.txt"]


async def test_a_run_that_came_to_nothing_removes_no_results_of_an_earlier_one(
    orchestrator: Orchestrator, job: Make, tmp_path: Path
) -> None:
    async with orchestrator:
        first = await orchestrator.submit(job(id="kept", tasks=[task("a"), task("b")]))
        assert (await first.wait()).outcome is RunOutcome.SUCCEEDED
        second = await orchestrator.submit(job(id="kept", tasks=[task("a")], pool={"id": "not-there"}))
        assert (await second.wait()).outcome is RunOutcome.ERROR
    assert (tmp_path / "results/kept/b/out.txt").read_text() == "b\n"


async def test_a_task_that_is_given_up_leaves_what_it_has_written_so_far(
    orchestrator: Orchestrator, job: Make, tmp_path: Path
) -> None:
    spec = job(
        id="slow", tasks=[{"id": "t", "command_line": "echo begun; echo oh >&2; echo > done; sleep 60"}]
    )
    async with orchestrator:
        run = await orchestrator.submit(spec)
        await anext(run.events(TaskStarted))
        run.cancel("enough")
        told = await run.wait()
    assert (told.outcome, told.abandoned) == (RunOutcome.CANCELLED, 1)
    assert {path.name for path in (tmp_path / "results/slow/t").iterdir()} == {"stdout.txt", "stderr.txt"}


async def test_a_pool_that_does_not_fit_is_told_before_anything_is_staged(
    orchestrator: Orchestrator, job: Make
) -> None:
    seen: list[object] = []
    async with orchestrator:
        keep = {"containers": "always", "job": "always", "pool": "never"}
        first = await orchestrator.submit(job(tasks=[task("a")], cleanup=keep))
        pool_id = (await first.wait()).pool_id
        orchestrator.on(StagingStarted, seen.append)
        orchestrator.on(PoolCreated, seen.append)
        other = {
            "id": pool_id,
            "vm_size": "standard_d4s_v3",
            "image": dict(UBUNTU),
            "target_dedicated_nodes": 1,
        }
        second = await orchestrator.submit(job(tasks=[task("a")], pool=other))
        told = await second.wait()
        assert isinstance(second.error, PoolError)
        assert "exists and does not fit" in str(told.error)
        await orchestrator.account.batch.delete_pool(pool_id)
    assert seen == []


UBUNTU = {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"}
