"""A download handler, what it is given, and what is kept of what it tells."""

from __future__ import annotations

from pathlib import Path

import anyio

from orchestrator.events import (
    Event,
    OutputsDownloaded,
    TaskCompleted,
    TaskFailed,
    TaskSucceeded,
)
from orchestrator.handlers import DownloadHandler, TaskOutputs
from orchestrator.limits import Limits
from orchestrator.states import FailureInfo, TaskKey, TaskState
from tests.unit.handlers.storage import MemoryStorage, NodeFiles
from tests.unit.owner import LIMIT, Owner

FAILURE = FailureInfo(
    category="usererror", code="FailureExitCode", message="it failed", details=(("a", "b"),)
)


def succeeded(task: str = "t1") -> TaskSucceeded:
    return TaskSucceeded(
        run_id="run", key=TaskKey("job", task), previous=None, state=TaskState.COMPLETED, exit_code=0
    )


def failed(task: str = "t1", exit_code: int | None = 3) -> TaskFailed:
    return TaskFailed(
        run_id="run",
        key=TaskKey("job", task),
        previous=None,
        state=TaskState.COMPLETED,
        exit_code=exit_code,
        failure=FAILURE,
    )


class Downloads:
    """A download handler whose events are kept."""

    def __init__(
        self,
        owner: Owner,
        folder: Path,
        storage: MemoryStorage,
        *,
        wanted: TaskOutputs | None = None,
        node: NodeFiles | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.events: list[Event] = []
        self.together: list[int] = []
        self.handler = DownloadHandler(
            self.note,
            storage=storage,
            output_container="outputs",
            download_dir=folder,
            job_id="job",
            limits=limits or Limits(downloads=4),
            expectations=lambda _: wanted or TaskOutputs(),
            start=owner.start,
            read_task_file=node.read if node is not None else None,
        )

    async def note(self, *events: Event) -> None:
        await anyio.lowlevel.checkpoint()
        self.events.extend(events)
        self.together.append(len(events))

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


async def downloaded(
    folder: Path,
    storage: MemoryStorage,
    *ends: TaskCompleted,
    wanted: TaskOutputs | None = None,
    node: NodeFiles | None = None,
    limits: Limits | None = None,
) -> Downloads:
    async with Owner() as owner:
        downloads = Downloads(owner, folder, storage, wanted=wanted, node=node, limits=limits)
        with anyio.fail_after(LIMIT):
            for end in ends:
                await downloads.handler.handle(end)
            await downloads.handler.idle()
            await downloads.handler.aclose()
    return downloads


def only_end(downloads: Downloads) -> OutputsDownloaded:
    (end,) = downloads.of(OutputsDownloaded)
    assert isinstance(end, OutputsDownloaded)
    assert downloads.events[-1] is end
    return end


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".orchestrator" not in path.parts
    }
