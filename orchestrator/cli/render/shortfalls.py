"""How a run fell short, in a line each: for who wants to read no more than that."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.results import JobResult


def what_is_wrong(result: JobResult) -> Iterator[str]:
    """A line for each way in which a run fell short, and where to look.

    Args:
        result: what became of the run.
    """
    folder = result.download_dir / result.job_id
    if result.failed:
        yield f"{result.failed} of {result.tasks} tasks failed; their stderr.txt is below {folder}"
    if result.abandoned:
        yield f"{result.abandoned} of {result.tasks} tasks were given up"
    if result.missing_outputs:
        yield f"{result.missing_outputs} outputs are missing below {folder}"
