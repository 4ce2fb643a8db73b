"""A folder whose job files are taken; they move to `accepted/`, or to `refused/` with the reason.

Looked at in intervals and not by the system's notices: those do not come from network file systems, and
whether a file has stopped growing takes a second look anyway.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import anyio
import anyio.to_thread
import structlog

from orchestrator.daemon.acceptance import Wish
from orchestrator.daemon.config import InboxConfig
from orchestrator.daemon.desk import Desk
from orchestrator.daemon.records import Source
from orchestrator.errors import DaemonError, OrchestratorError, error_text

log = structlog.get_logger()

ACCEPTED, REFUSED = "accepted", "refused"
_SUFFIXES = (".toml", ".json")
_LARGEST = 4 * 1024 * 1024
_BUSY = frozenset({429, 503})

_Look = tuple[int, int, int]
"""Number, size and time of change of a file: the same at two looks means that nobody writes it any more."""


class Inbox:
    """Takes job files out of a folder.

    A file is named in the intake by its name, content and identity on the disk, so that one that was accepted
    just before the daemon died is not taken again after it, but moved as it would have been; the same job
    dropped in once more is another file, and another run.

    Args:
        config: the folder.
        desk: who takes the jobs.
    """

    def __init__(self, config: InboxConfig, *, desk: Desk) -> None:
        self._folder = Path(config.dir)
        self._interval = config.poll_interval
        self._desk = desk
        self._looks: dict[str, _Look] = {}

    async def prepare(self) -> None:
        """Make the folders."""
        await anyio.to_thread.run_sync(self._prepare)

    def _prepare(self) -> None:
        for folder in (self._folder, self._folder / ACCEPTED, self._folder / REFUSED):
            folder.mkdir(parents=True, exist_ok=True)

    async def watch(self) -> None:
        """Take what comes, for ever."""
        while True:
            try:
                for name in await anyio.to_thread.run_sync(self._finished):
                    await self._take(name)
            except OSError as error:
                # A folder that is away for a while (a network drive) is there again some time later.
                log.warning("inbox.unreadable", error=str(error))
            await anyio.sleep(self._interval)

    def _finished(self) -> list[str]:
        """The job files that have not changed since the last look."""
        looks: dict[str, _Look] = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                named = entry.name.endswith(_SUFFIXES) and not entry.name.startswith(".")
                if named and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    looks[entry.name] = (status.st_ino, status.st_size, status.st_mtime_ns)
        before, self._looks = self._looks, looks
        return sorted(name for name, look in looks.items() if before.get(name) == look)

    async def _take(self, name: str) -> None:
        if not self._desk.taking:
            return  # it is taken after the restart
        path = self._folder / name
        try:
            content, identity = await anyio.to_thread.run_sync(_content, path)
            record, _ = await self._desk.submit(
                Wish(
                    document=content,
                    where=name,
                    body_hash="",
                    idempotency_key=f"inbox:{name}:{identity}:{hashlib.sha256(content).hexdigest()}",
                    submitter="inbox",
                    source=Source.INBOX,
                    base=self._folder,
                )
            )
        except DaemonError as refusal:
            if refusal.status in _BUSY:
                return  # not its fault: it is taken at a later look
            await self._refuse(path, error_text(refusal))
            return
        except OrchestratorError as error:
            log.warning("inbox.not_taken", file=name, error=error_text(error))
            return
        await anyio.to_thread.run_sync(_move, path, self._folder / ACCEPTED / _stamped(name, record.run_id))

    async def _refuse(self, path: Path, reason: str) -> None:
        log.warning("inbox.refused", file=path.name, reason=reason)

        def refuse() -> None:
            target = _free(self._folder / REFUSED / path.name)
            # The reason first: who sees the file there can read why.
            (target.parent / f"{target.name}.reason.txt").write_text(f"{reason}\n", encoding="utf-8")
            _move(path, target)

        await anyio.to_thread.run_sync(refuse)


def _content(path: Path) -> tuple[bytes, str]:
    """What a file holds, and what tells it from a later file of the same name and content."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise DaemonError(
            f"has more than {_LARGEST} bytes",
            status=413,
            remedy="name its files by a pattern",
            where=path.name,
        )
    return content, f"{status.st_ino}-{status.st_mtime_ns}"


def _move(path: Path, target: Path) -> None:
    path.replace(target)


def _stamped(name: str, run_id: str) -> str:
    """The name with the run's id before its suffix: what became of the file can be looked up by it."""
    path = Path(name)
    return f"{path.stem}.{run_id}{path.suffix}"


def _free(path: Path) -> Path:
    number = 1
    free = path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free
