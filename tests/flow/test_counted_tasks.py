"""Jobs that say how many tasks they want, and not for which files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orchestrator import JobSpec, Orchestrator

FACTORY = {
    "count": 6,
    "id": "n-{index}",
    "command_line": "echo {index} > out.txt; echo said; test {index} != 4",
    "output_files": ["out.txt"],
    "logs": "on_failure",
}


async def test_so_many_tasks_run_each_with_its_index_and_only_a_failed_one_leaves_its_logs(
    orchestrator: Orchestrator, job: Callable[..., JobSpec]
) -> None:
    codes: dict[str, int | None] = {}
    async with orchestrator:
        run = await orchestrator.submit(job(task_factory=FACTORY))
        async for result in run.results():
            codes[result.key.task_id] = result.exit_code
            assert run.input_name(result.key.task_id) is None
        ended = await run.wait()
    assert codes == {f"n-{index}": int(index == 4) for index in range(6)}
    assert (ended.succeeded, ended.failed) == (5, 1)
    folder = Path(ended.download_dir) / ended.job_id
    found = {str(path.relative_to(folder)) for path in folder.glob("n-*/*")}
    logs = {"n-4/stderr.txt", "n-4/stdout.txt"}
    assert found == {f"n-{index}/out.txt" for index in range(6)} | logs
    assert (folder / "n-3/out.txt").read_text() == "3\n"
