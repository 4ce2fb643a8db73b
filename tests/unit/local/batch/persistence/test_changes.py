from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.batch.persistence.encoding import Batch, encode, pack
from orchestrator.local.batch.persistence.loader import Loaded, load
from orchestrator.local.batch.persistence.schema import connect
from orchestrator.local.batch.persistence.writer import Writer
from orchestrator.local.batch.store.changes import Changes, JobChanges, Tracked
from orchestrator.local.batch.store.creation import make_job, make_pool, make_task, read_task
from orchestrator.local.batch.store.outcomes import Ending
from orchestrator.local.batch.store.records import CommandRun, JobRecord, NodeRecord, PoolRecord, TaskRecord
from orchestrator.local.batch.store.states import JobState, TaskState
from tests.conformance.clients import job_body, pool_body

AT = 638_000_000_000_000_000


class Wakes:
    """Changes of an account, and how often they woke their writer."""

    def __init__(self) -> None:
        self.count = 0
        self.changes = Changes(self.wake)

    def wake(self) -> None:
        self.count += 1

    def job(self, name: str = "J", **members: Any) -> JobRecord:
        job = make_job(job_body(name, **members), 1, arrived=AT, at=AT)
        job.task_changes = JobChanges(self.changes)
        self.changes.add(job)
        return job


def task(job: JobRecord, name: str, **members: Any) -> TaskRecord:
    body = {"id": name, "commandLine": "true", **members}
    return make_task(job, body, read_task(body), AT)


def node(pool: PoolRecord) -> NodeRecord:
    return NodeRecord(
        id="tvm", pool_id=pool.id, dedicated=True, address="10.0.0.4", slots=1, allocated=AT, state_since=AT
    )


def reloaded(path: Path, *batches: Batch) -> Loaded:
    connection = connect(path)
    writer = Writer(connection, path)
    try:
        for batch in batches:
            writer.write(batch)
        return load(connection, path)
    finally:
        writer.close()


def cut(job: JobRecord) -> None:
    assert job.task_changes is not None
    job.task_changes.cut(job.id.lower())


def members(record: Tracked) -> dict[str, Any]:
    return {
        name: dataclasses.asdict(value) if isinstance(value, CommandRun) else value
        for name in record.__struct_fields__
        if name not in record.live | {"notes"}
        for value in (getattr(record, name),)
    }


def test_a_record_that_nobody_collects_changes_of_tells_nobody() -> None:
    job = make_job(job_body(), 1, arrived=AT, at=AT)
    one = task(job, "t")
    job.move_task(one, TaskState.RUNNING, AT)
    assert one.notes is None


def test_each_change_is_told_once_and_the_writer_is_woken_once() -> None:
    account = Wakes()
    job = account.job()
    one = task(job, "t")
    job.move_task(one, TaskState.RUNNING, AT)
    assert set(account.changes.take().changed) == {job, one}
    assert account.count == 1
    assert not account.changes.pending
    one.retry_count += 1
    one.last_retry = AT
    assert account.changes.take().changed == (one,)
    assert account.count == 2


def test_a_job_that_goes_takes_what_its_tasks_told_with_it() -> None:
    account = Wakes()
    job = account.job(usesTaskDependencies=True)
    one = task(job, "t")
    job.satisfy("t")
    cut(job)
    account.changes.remove(job)
    one.retry_count = 5
    taken = account.changes.take()
    assert (taken.changed, taken.removed, taken.satisfied) == ((), (job.key,), ())


def test_an_id_that_goes_and_comes_in_one_batch_is_the_new_one(tmp_path: Path) -> None:
    account = Wakes()
    old = account.job()
    task(old, "a")
    task(old, "b")
    first = encode(account.changes.take())
    task(old, "c")
    cut(old)
    account.changes.remove(old)
    task(account.job(priority=9), "d")
    (job,) = reloaded(tmp_path / "state", first, encode(account.changes.take())).jobs
    assert job.spec["priority"] == 9
    assert [one.id for one in job.tasks] == ["d"]


def test_a_batch_that_is_written_again_changes_nothing(tmp_path: Path) -> None:
    account = Wakes()
    job = account.job()
    gone = task(job, "gone")
    task(job, "t")
    first = encode(account.changes.take())
    job.remove_task(gone)
    second = encode(account.changes.take())
    (loaded,) = reloaded(tmp_path / "state", first, second, second).jobs
    assert [one.id for one in loaded.tasks] == ["t"]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 63, 64, 65, 511, 512, 513, 1100])
def test_any_number_of_tasks_comes_back_in_full_and_counted(tmp_path: Path, count: int) -> None:
    account = Wakes()
    job = account.job()
    tasks = [task(job, f"t{number}") for number in range(count)]
    (loaded,) = reloaded(tmp_path / "state", encode(account.changes.take())).jobs
    assert [members(one) for one in loaded.tasks] == [members(one) for one in job.tasks]
    assert loaded.counts.tasks["active"] == count
    assert next(loaded.sequences) == len(tasks)
    # What most tasks have alike is there once.
    assert len({id(one.spec["constraints"]) for one in loaded.tasks}) == 1


ticks = st.integers(0, 2**62)
text = st.text(max_size=20)
specs = st.dictionaries(
    text, st.recursive(st.none() | st.booleans() | st.integers(-(2**31), 2**31) | text, st.lists)
)


@given(
    started=ticks,
    exit_code=st.none() | st.integers(-255, 255),
    failure=st.none() | specs,
    state=st.sampled_from(TaskState),
    ending=st.none() | st.sampled_from(Ending),
    node_id=st.none() | text,
    spec=specs,
)
def test_a_task_record_survives_whatever_is_in_it(spec: dict[str, Any], **changes: Any) -> None:
    one = TaskRecord(
        id="T", job_id="J", sequence=3, spec=spec, slots=1, created=AT, modified=AT, state_since=AT, **changes
    )
    assert members(msgspec.msgpack.decode(pack(one), type=TaskRecord)) == members(one)


def test_pools_nodes_and_preparations_come_back_in_full(tmp_path: Path) -> None:
    account = Wakes()
    pool = make_pool(pool_body("P", targetDedicatedNodes=2), AT)
    account.changes.add(pool)
    pool.add_node(node(pool))
    job = account.job()
    job.preparations["P", "tvm"] = CommandRun(started=AT, ended=AT + 1, exit_code=0)
    job.touch()
    job.move(JobState.TERMINATING, AT)
    loaded = reloaded(tmp_path / "state", encode(account.changes.take()))
    assert [members(one) for one in loaded.pools] == [members(pool)]
    assert [members(one) for one in loaded.pools[0].nodes] == [members(one) for one in pool.nodes]
    again = loaded.jobs[0].preparations["P", "tvm"]
    assert dataclasses.asdict(again) == dataclasses.asdict(job.preparations["P", "tvm"])
    assert loaded.jobs[0].state is JobState.TERMINATING


def test_a_node_that_went_is_not_there_any_more(tmp_path: Path) -> None:
    account = Wakes()
    pool = make_pool(pool_body("P"), AT)
    account.changes.add(pool)
    one = node(pool)
    pool.add_node(one)
    first = encode(account.changes.take())
    pool.remove_node(one)
    loaded = reloaded(tmp_path / "state", first, encode(account.changes.take()))
    assert not len(loaded.pools[0].nodes)


def test_tasks_that_go_together_go_in_one_stretch() -> None:
    wakes = Wakes()
    job, other = wakes.job(), wakes.job("K")
    tasks = [task(job, f"t{number}") for number in range(6)]
    task(other, "stays")
    wakes.changes.take()
    for one in (tasks[2], tasks[0], tasks[1], tasks[5]):
        job.remove_task(one)
    assert encode(wakes.changes.take()).dropped_tasks == (("j", 0, 2), ("j", 5, 5))


def test_of_a_stretch_that_goes_no_neighbour_goes(tmp_path: Path) -> None:
    wakes = Wakes()
    job, other = wakes.job(), wakes.job("K")
    tasks = [task(job, f"t{number}") for number in range(5)]
    task(other, "t2")
    first = encode(wakes.changes.take())
    for one in tasks[1:4]:
        job.remove_task(one)
    found = reloaded(tmp_path / "state.sqlite", first, encode(wakes.changes.take()))
    left = {(one.id, each.id) for one in found.jobs for each in one.tasks}
    assert left == {("J", "t0"), ("J", "t4"), ("K", "t2")}
