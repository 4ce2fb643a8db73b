"""A state file that can't be read or written is told by name: nothing is lost silently."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from orchestrator.local import LocalService
from orchestrator.local.batch.endpoint import BatchEndpoint
from orchestrator.local.batch.node import NodeProcess
from orchestrator.local.batch.persistence.schema import VERSION, StateFileError
from tests.conformance.clients import ACCOUNT, KEY, RawClient, job_body, until
from tests.faults.local_service.kept import all_tasks, kept


def endpoint(folder: Path) -> BatchEndpoint:
    return BatchEndpoint(
        account_name=ACCOUNT,
        account_key=KEY,
        data_dir=folder,
        start_node=NodeProcess.start,
        state_file=folder / "state.sqlite",
    )


@pytest.fixture
async def state_file(tmp_path: Path) -> Path:
    """Of a service that had a job with 300 tasks, and ended in order."""
    async with kept(tmp_path) as service:
        await service.client.post("/jobs", job_body())
        for first in range(0, 300, 100):
            bodies = [{"id": f"t{first + one}", "commandLine": "true"} for one in range(100)]
            await service.client.post("/jobs/j/addtaskcollection", {"value": bodies})
        await service.end()
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return tmp_path / "state.sqlite"


def is_text(path: Path) -> None:
    path.write_text("no database at all, and longer than the header of one would be" * 10)


def is_torn(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:8192] + b"\xa5" * (len(data) - 8192))


def is_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def is_of_another_program(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name)")


def is_of_a_later_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version={VERSION + 1}")


def has_a_broken_record(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE tasks SET record=x'c1' WHERE sequence=17")


def has_tasks_of_no_job(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM resources WHERE kind='job'")


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (is_text, "not a database"),
        (is_torn, "malformed"),
        (is_cut, "malformed"),
        (is_of_another_program, "no state file"),
        (is_of_a_later_version, f"version {VERSION + 1}"),
        (has_a_broken_record, "task number 17 of job j can't be read"),
        (has_tasks_of_no_job, "which is not there"),
    ],
)
async def test_a_state_file_that_can_not_be_used_is_named_and_left_alone(
    state_file: Path, happens: Callable[[Path], None], said: str
) -> None:
    happens(state_file)
    before = await anyio.Path(state_file).read_bytes()
    service = endpoint(state_file.parent)
    with pytest.raises(StateFileError, match=said) as refused:
        await service.start()
    assert str(state_file) in str(refused.value)
    assert await anyio.Path(state_file).read_bytes() == before


async def test_the_whole_service_does_not_start_on_a_broken_state_file(tmp_path: Path) -> None:
    (tmp_path / "batch").mkdir()
    is_text(tmp_path / "batch" / "state.sqlite")
    with pytest.raises(StateFileError, match=r"batch/state\.sqlite"):
        async with LocalService(state_dir=tmp_path):
            pass


async def test_a_full_disk_refuses_writes_by_name_and_loses_nothing(tmp_path: Path) -> None:
    async with kept(tmp_path) as service:
        await service.client.post("/jobs", job_body())
        accepted = []
        _, most = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
        # No file of it may grow beyond this: to SQLite the disk is full.
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (200_000, most))
        for number in range(1000):
            answer = await service.client.send("POST", "/jobs/j/tasks", body(number))
            if answer.status != 201:
                break
            accepted.append(f"t{number}")
        assert answer.status == 503
        assert answer.json()["code"] == "ServerBusy"
        values = {one["key"]: one["value"] for one in answer.json()["values"]}
        assert values["StateFile"] == str(tmp_path / "state.sqlite")
        assert values["Reason"]
        assert (await service.client.send("POST", "/jobs/j/tasks", body(5000))).status == 503
        assert (await service.client.send("DELETE", "/jobs/j")).status == 503
        assert (await service.client.get("/jobs/j"))["state"] == "active"
        resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (most, most))
        await until(lambda: added(service.client), bool)
        accepted.append("later")
        await service.end()
    async with kept(tmp_path) as service:
        # The one that was refused when the disk was full may be there: its answer said that it is not known.
        assert set(await all_tasks(service.client)) - {f"t{number}"} == set(accepted)


def body(number: int) -> dict[str, object]:
    return {"id": f"t{number}", "commandLine": f"true {'x' * 1000}"}


async def added(client: RawClient) -> bool:
    answer = await client.send("POST", "/jobs/j/tasks", {"id": "later", "commandLine": "true"})
    return answer.status == 201
