"""Results of a run: listed, and given out; nothing outside of the run's own folder."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import anyio.to_thread
from aiohttp import web

from orchestrator.daemon.api import queries
from orchestrator.daemon.api.views import OutputPage, OutputView, json_response
from orchestrator.daemon.confinement import inside
from orchestrator.daemon.refusals import no_such_file
from orchestrator.daemon.service import DaemonService
from orchestrator.handlers.result_ledger import FOLDER as LEDGER

_SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}


async def list_outputs(request: web.Request, service: DaemonService) -> web.Response:
    """The files that are here already."""
    record = await service.desk.find(request.match_info["run_id"])
    limit = queries.number(request, "limit", 100, least=1, most=service.limits.page_size)
    after = request.query.get("after", "")
    found = await anyio.to_thread.run_sync(_listed, record.results, after, limit + 1)
    shown = found[:limit]
    return json_response(OutputPage(outputs=shown, next=shown[-1].path if len(found) > limit else None))


async def output(request: web.Request, service: DaemonService) -> web.StreamResponse:
    """One file."""
    record = await service.desk.find(request.match_info["run_id"])
    name = request.match_info["path"]
    path = await anyio.to_thread.run_sync(_regular, record.results, name)
    if path is None:
        raise no_such_file(name)
    # What a task wrote must not be shown by a browser as if the daemon said it.
    return web.FileResponse(
        path,
        headers={**_SAFE, "Content-Type": "application/octet-stream", "Content-Disposition": "attachment"},
    )


def _regular(folder: Path, name: str) -> Path | None:
    path = inside(folder, name)
    return path if path is not None and path.is_file() else None


def _listed(folder: Path, after: str, limit: int) -> list[OutputView]:
    return list(itertools.islice(_below(folder, "", after), limit))


def _below(folder: Path, prefix: str, after: str) -> Iterator[OutputView]:
    """The files after one of them, in the order of their paths; folders before it are not read."""
    for key, name, is_folder in _entries(folder / prefix):
        if is_folder:
            if prefix == "" and name == LEDGER:
                continue  # how later runs know these files; no task's
            inner = prefix + key
            if inner > after or after.startswith(inner):
                yield from _below(folder, inner, after)
        elif prefix + name > after and _decodes(prefix + name):
            with contextlib.suppress(FileNotFoundError):  # gone since it was listed
                yield OutputView(path=prefix + name, size=(folder / prefix / name).lstat().st_size)


def _entries(folder: Path) -> list[tuple[str, str, bool]]:
    """What lies in a folder, by what the paths have at its place: a folder's name comes with its slash."""
    found: list[tuple[str, str, bool]] = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found.append((f"{entry.name}/", entry.name, True))
            # Files that are still being written have names that begin with a dot.
            elif not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                found.append((entry.name, entry.name, False))
    return sorted(found)


def _decodes(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
