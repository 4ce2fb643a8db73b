"""Results of a run: listed, and given out; nothing outside of the run's own folder."""

from __future__ import annotations

import os
from pathlib import Path

import anyio.to_thread
from aiohttp import web

from orchestrator.daemon.api import queries
from orchestrator.daemon.api.views import OutputPage, OutputView, json_response
from orchestrator.daemon.confinement import inside
from orchestrator.daemon.records import RunRecord
from orchestrator.daemon.refusals import no_such_file
from orchestrator.daemon.service import DaemonService
from orchestrator.spec import decode_job

_SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}


def results_of(record: RunRecord) -> Path:
    """The folder of a run's results; it has a folder for each task."""
    return Path(decode_job(record.spec).download_dir) / record.job_id


async def list_outputs(request: web.Request, service: DaemonService) -> web.Response:
    """The files that are here already."""
    record = await service.desk.find(request.match_info["run_id"])
    limit = queries.number(request, "limit", 100, least=1, most=service.limits.page_size)
    after = request.query.get("after", "")
    found = await anyio.to_thread.run_sync(_listed, results_of(record), after, limit + 1)
    shown = found[:limit]
    return json_response(OutputPage(outputs=shown, next=shown[-1].path if len(found) > limit else None))


async def output(request: web.Request, service: DaemonService) -> web.StreamResponse:
    """One file."""
    record = await service.desk.find(request.match_info["run_id"])
    name = request.match_info["path"]
    path = await anyio.to_thread.run_sync(_regular, results_of(record), name)
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
    found: list[OutputView] = []
    for place, _, files in os.walk(folder):
        for file in files:
            path = Path(place, file)
            name = path.relative_to(folder).as_posix()
            # Files that are still being written have names that begin with a dot.
            if name > after and not file.startswith(".") and not path.is_symlink() and _decodes(name):
                found.append(OutputView(path=name, size=path.stat().st_size))
    found.sort(key=lambda output: output.path)
    return found[:limit]


def _decodes(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
