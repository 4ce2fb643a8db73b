"""Tasks as the benchmarks need them: to be added, in each of the ways; and as the service lists them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec

JOB_SIZE = 100_000
TICK = 2.0
CHANGED_A_TICK = JOB_SIZE // 1000
_START = datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)
_LIST = "/jobs/j/tasks"  # the SDK follows a link as it is, so it must not name another host
_SINCE = re.compile(r"DateTime'([^']+)'")

READ_URL = (
    "https://account.blob.core.windows.net/in-5f0c2b7a91d34e6f/1234-0123456789abcdef01234567?st=2026-01-02T03%3A04%3A05Z"
    "&se=2026-01-03T03%3A04%3A05Z&sp=r&sv=2023-11-03&sr=b&sig=QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY%3D"
)
WRITE_URL = (
    "https://account.blob.core.windows.net/out-5f0c2b7a91d34e6f?st=2026-01-02T03%3A04%3A05Z"
    "&se=2026-01-03T03%3A04%3A05Z&sp=cw&sv=2023-11-03&sr=c&sig=QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY%3D"
)


def command(number: int) -> str:
    """Of a task."""
    return f"/bin/sh -c 'python3 count.py ./input-{number}.txt > words.out'"


def plain(number: int) -> dict[str, Any]:
    """A task to be added, as a dictionary."""
    return {
        "id": f"task-{number:07}",
        "commandLine": command(number),
        "resourceFiles": [{"httpUrl": READ_URL, "filePath": f"input-{number}.txt"}],
        "outputFiles": [
            {
                "filePattern": "*.out",
                "destination": {"container": {"containerUrl": WRITE_URL, "path": f"task-{number:07}"}},
                "uploadOptions": {"uploadCondition": "taskcompletion"},
            }
        ],
        "environmentSettings": [{"name": "INDEX", "value": str(number)}, {"name": "MODE", "value": "count"}],
        "constraints": {"maxWallClockTime": "PT1H", "maxTaskRetryCount": 1},
        "requiredSlots": 1,
    }


def listed(number: int, tick: int | None = None) -> dict[str, Any]:
    """A task as the service lists it, after the recorded ones; changed in some tick, or still active."""
    address = f"https://acc.region.batch.azure.com/jobs/j/tasks/task-{number:07}"
    created = "2026-01-02T03:04:05.1234567Z"
    task: dict[str, Any] = {
        "id": f"task-{number:07}",
        "url": address,
        "eTag": "0x8DA90613C3D2F41",
        "creationTime": created,
        "lastModified": created,
        "state": "active",
        "stateTransitionTime": created,
        **plain(number),
        "userIdentity": {"autoUser": {"scope": "task", "elevationLevel": "nonadmin"}},
        "executionInfo": {"retryCount": 0, "requeueCount": 0},
    }
    if tick is not None:
        moment = f"{_START + timedelta(seconds=tick * TICK):%Y-%m-%dT%H:%M:%S.%f}1Z"
        task |= {
            "state": "completed",
            "stateTransitionTime": moment,
            "previousState": "running",
            "previousStateTransitionTime": created,
            "executionInfo": {
                "startTime": created,
                "endTime": moment,
                "exitCode": 0,
                "result": "success",
                "retryCount": 0,
                "requeueCount": 0,
            },
            "nodeInfo": {
                "affinityId": "TVM:tvmps_0123456789abcdef_d",
                "nodeUrl": "https://acc.region.batch.azure.com/pools/p/nodes/tvmps_0123456789abcdef_d",
                "poolId": "p",
                "nodeId": "tvmps_0123456789abcdef_d",
                "taskRootDirectory": f"workitems/j/job-1/task-{number:07}",
                "taskRootDirectoryUrl": f"{address}/files",
            },
        }
    return task


def task_page(
    numbers: Iterable[int],
    *,
    total: int,
    skip: int,
    select: str,
    ticks: dict[int, int] | None = None,
    wanted: str = "",
) -> bytes:
    """A page of a list, with the link to the next one."""
    tasks = [listed(number, (ticks or {}).get(number)) for number in numbers]
    count = len(tasks)
    if select:
        members = select.split(",")
        tasks = [{name: task[name] for name in members if name in task} for task in tasks]
    page: dict[str, Any] = {"odata.metadata": "https://acc/$metadata#tasks", "value": tasks}
    if skip + count < total:
        selected = (f"&$select={select}" if select else "") + (f"&$filter={quote(wanted)}" if wanted else "")
        page["odata.nextLink"] = (
            f"{_LIST}?api-version=2025-06-01&maxresults={count}{selected}&$skiptoken={skip + count}"
        )
    return msgspec.json.encode(page)


def changed_since(wanted: str, tick: int, *, skip: int, size: int, select: str) -> bytes:
    """The page of those tasks that changed since a time, when so many ticks have passed."""
    found = _SINCE.search(wanted)
    since = datetime.fromisoformat(found[1]) if found else _START
    first = max(0, -(-(since - _START).total_seconds() // TICK))
    ticks = {
        number: one
        for one in range(int(first), tick + 1)
        for number in range(one * CHANGED_A_TICK, (one + 1) * CHANGED_A_TICK)
    }
    numbers = sorted(ticks)
    return task_page(
        numbers[skip : skip + size], total=len(numbers), skip=skip, select=select, ticks=ticks, wanted=wanted
    )
