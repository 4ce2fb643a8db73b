"""Handlers of task files and node files.

Sources of facts: recorded (headers of Linux nodes: `ocp-batch-file-mode`, no `ocp-creation-time`; 200 with
the bytes asked for when `ocp-range` is there).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import anyio

from orchestrator.local.batch.account import Account
from orchestrator.local.batch.errors import (
    file_not_found,
    node_not_found,
    node_not_ready,
    task_files_cleaned_up,
    task_files_unavailable,
)
from orchestrator.local.batch.filters import FILE_FILTERS
from orchestrator.local.batch.node_files import (
    FileFacts,
    delete,
    describe,
    list_folder,
    locate,
    parse_range,
)
from orchestrator.local.batch.pages import list_page, walk_sorted
from orchestrator.local.batch.retention import kept_until
from orchestrator.local.batch.runtime import Machine
from orchestrator.local.batch.store.views import task_directory
from orchestrator.local.wire.call import Call, Reply, done
from orchestrator.local.wire.conditions import check_conditions
from orchestrator.local.wire.times import timestamp

_PIECE: Final = 256 * 1024
_UNIX_EPOCH_TICKS: Final = 621_355_968_000_000_000


@dataclass(frozen=True, slots=True)
class _Place:
    folder: Path
    url: str


def _of_task(account: Account, call: Call) -> _Place:
    job, task = account.task(call.parameters["jobId"], call.parameters["taskId"])
    if task.node_id is None or task.pool_id is None:
        raise task_files_unavailable()
    until = kept_until(task)
    if until is not None and until <= call.at:
        raise task_files_cleaned_up()
    pool = account.has_pool(task.pool_id)
    machine = pool.machines.get(task.node_id) if pool is not None else None
    if machine is None:
        raise node_not_found()
    folder = _root(machine) / task_directory(job.record.id, task.id)
    return _Place(folder, f"{call.account_url}/jobs/{job.record.id}/tasks/{task.id}/files")


def _of_node(account: Account, call: Call) -> _Place:
    machine = account.machine(call.parameters["poolId"], call.parameters["nodeId"])
    url = f"{call.account_url}/pools/{machine.record.pool_id}/nodes/{machine.record.id}/files"
    return _Place(_root(machine), url)


def _root(machine: Machine) -> Path:
    if machine.node is None:
        raise node_not_ready()
    return machine.node.root


def _file_url(place: _Place, name: str) -> str:
    return f"{place.url}/{quote(name)}"


def _modified_ticks(facts: FileFacts) -> int:
    # Microseconds, as the agent tells them (recorded).
    return _UNIX_EPOCH_TICKS + facts.modified_ns // 1000 * 10


def _show(place: _Place, facts: FileFacts) -> Mapping[str, Any]:
    wire: dict[str, Any] = {
        "name": facts.name,
        "url": _file_url(place, facts.name),
        "isDirectory": facts.is_directory,
    }
    if not facts.is_directory:
        wire["properties"] = {
            "lastModified": timestamp(_modified_ticks(facts)),
            "contentLength": str(facts.size),
            "contentType": facts.content_type,
            "fileMode": f"0o{facts.mode:o}",
        }
    return wire


async def _list(call: Call, place: _Place) -> Reply:
    recursive = call.query.get("recursive", "").lower() == "true"
    found = await anyio.to_thread.run_sync(partial(list_folder, place.folder, recursive=recursive))
    by_name = {facts.name: facts for facts in found}
    return list_page(
        call,
        "files",
        walk_sorted(by_name),
        lambda name: _show(place, by_name[name]),
        fields=FILE_FILTERS,
    )


async def _describe(call: Call, place: _Place) -> tuple[FileFacts, dict[str, str]]:
    name = call.parameters["filePath"].strip("/")
    facts = await anyio.to_thread.run_sync(describe, place.folder, name)
    modified = _modified_ticks(facts)
    check_conditions(call.headers, modified=modified, reading=True, by_etag=False)
    headers = {
        "Last-Modified": formatdate(facts.modified_ns // 1_000_000_000, usegmt=True),
        "ocp-batch-file-isdirectory": str(facts.is_directory),
        "ocp-batch-file-url": quote(_file_url(place, name), safe=""),
        "ocp-batch-file-mode": f"0o{facts.mode:o}",
    }
    if not facts.is_directory:
        headers = {"Content-Type": facts.content_type, **headers}
    return facts, headers


def _wanted(call: Call, facts: FileFacts) -> tuple[int, int]:
    stated = call.headers.get("ocp-range") or call.headers.get("Range")
    return (0, facts.size) if not stated else parse_range(stated, facts.size)


async def _get(call: Call, place: _Place) -> Reply:
    facts, headers = await _describe(call, place)
    if facts.is_directory:
        raise file_not_found()
    first, behind = _wanted(call, facts)
    path = await anyio.to_thread.run_sync(locate, place.folder, call.parameters["filePath"].strip("/"))
    return Reply(status=200, headers=headers, body=_pieces(path, first, behind))


async def _pieces(path: Path, first: int, behind: int) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        await file.seek(first)
        left = behind - first
        while left > 0:
            piece = await file.read(min(_PIECE, left))
            if not piece:  # the file got shorter meanwhile
                return
            left -= len(piece)
            yield piece


async def _head(call: Call, place: _Place) -> Reply:
    facts, headers = await _describe(call, place)
    first, behind = _wanted(call, facts)
    return Reply(status=200, headers=headers, length=behind - first)


async def _delete(call: Call, place: _Place) -> Reply:
    recursive = call.query.get("recursive", "").lower() == "true"
    name = call.parameters["filePath"].strip("/")
    await anyio.to_thread.run_sync(partial(delete, place.folder, name, recursive=recursive))
    return done(200)


async def list_task_files(account: Account, call: Call) -> Reply:
    """GET /jobs/{jobId}/tasks/{taskId}/files."""
    return await _list(call, _of_task(account, call))


async def get_task_file(account: Account, call: Call) -> Reply:
    """GET /jobs/{jobId}/tasks/{taskId}/files/{filePath}."""
    return await _get(call, _of_task(account, call))


async def head_task_file(account: Account, call: Call) -> Reply:
    """HEAD /jobs/{jobId}/tasks/{taskId}/files/{filePath}."""
    return await _head(call, _of_task(account, call))


async def delete_task_file(account: Account, call: Call) -> Reply:
    """DELETE /jobs/{jobId}/tasks/{taskId}/files/{filePath}."""
    return await _delete(call, _of_task(account, call))


async def list_node_files(account: Account, call: Call) -> Reply:
    """GET /pools/{poolId}/nodes/{nodeId}/files."""
    return await _list(call, _of_node(account, call))


async def get_node_file(account: Account, call: Call) -> Reply:
    """GET /pools/{poolId}/nodes/{nodeId}/files/{filePath}."""
    return await _get(call, _of_node(account, call))


async def head_node_file(account: Account, call: Call) -> Reply:
    """HEAD /pools/{poolId}/nodes/{nodeId}/files/{filePath}."""
    return await _head(call, _of_node(account, call))


async def delete_node_file(account: Account, call: Call) -> Reply:
    """DELETE /pools/{poolId}/nodes/{nodeId}/files/{filePath}."""
    return await _delete(call, _of_node(account, call))
