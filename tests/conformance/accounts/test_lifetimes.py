"""Marks are replaced and things deleted only as they were seen, at the real endpoints."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from orchestrator.accounts import Account, BatchAccount, StorageAccount
from orchestrator.accounts.bodies import job_body
from orchestrator.errors import NotFoundError, ServiceError
from orchestrator.states import JobState

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARKS = {"orchestrator_run": "R1", "orchestrator_expires": "2030-01-01T00:00:00Z"}


@pytest_asyncio.fixture(loop_scope="module")
async def batch(account: Account) -> BatchAccount:
    return account.batch


@pytest_asyncio.fixture(loop_scope="module")
async def storage(account: Account) -> StorageAccount:
    return account.storage


@pytest_asyncio.fixture(loop_scope="module")
async def job(batch: BatchAccount) -> AsyncIterator[str]:
    """A job on a pool that does not exist, which the service takes."""
    job_id = f"job-{os.urandom(6).hex()}"
    await batch.create_job(job_body(job_id=job_id, pool_id="nowhere", metadata=MARKS))
    yield job_id
    await batch.delete_job(job_id)
    assert await batch.wait_job_gone(job_id)


async def test_a_jobs_marks_are_replaced_whole_and_only_as_they_were_seen(
    batch: BatchAccount, job: str
) -> None:
    seen = await batch.get_job(job)
    assert (dict(seen.metadata), bool(seen.etag)) == (MARKS, True)
    await batch.lifetimes.mark_job(job, [("orchestrator_run", "R1")], if_match=seen.etag)
    assert (await batch.get_job(job)).metadata == (("orchestrator_run", "R1"),)
    with pytest.raises(ServiceError) as refused:
        await batch.lifetimes.mark_job(job, [("late", "x")], if_match=seen.etag)
    assert (refused.value.status, refused.value.code) == (412, "ConditionNotMet")


async def test_a_job_that_was_changed_since_it_was_seen_is_not_deleted(batch: BatchAccount, job: str) -> None:
    seen = await batch.get_job(job)
    await batch.lifetimes.mark_job(job, seen.metadata, if_match=None)
    with pytest.raises(ServiceError) as refused:
        await batch.lifetimes.delete_job(job, if_match=seen.etag)
    assert refused.value.status == 412
    found = await batch.get_job(job)
    assert found.state is JobState.ACTIVE
    assert await batch.lifetimes.delete_job(job, if_match=found.etag)


async def test_containers_are_listed_with_their_marks_and_marked_anew(storage: StorageAccount) -> None:
    name = f"c-{os.urandom(6).hex()}"
    with pytest.raises(NotFoundError):
        await storage.containers.look(name)
    await storage.create_container(name, metadata=MARKS)
    listed = {one.name: one for one in await storage.containers.list()}[name]
    assert dict(listed.metadata) == MARKS
    assert listed == await storage.containers.look(name)
    await storage.containers.mark(name, [("orchestrator_run", "R1")])
    assert (await storage.containers.look(name)).metadata == (("orchestrator_run", "R1"),)
    assert await storage.delete_container(name)


async def test_a_container_that_was_changed_since_it_was_seen_is_not_deleted(storage: StorageAccount) -> None:
    name = f"c-{os.urandom(6).hex()}"
    await storage.create_container(name, metadata=MARKS)
    seen = await storage.containers.look(name)
    assert seen.modified is not None
    with pytest.raises(ServiceError) as refused:
        await storage.containers.delete(name, unmodified_since=seen.modified - timedelta(seconds=1))
    assert refused.value.status == 412
    assert await storage.containers.delete(name, unmodified_since=seen.modified)
    with pytest.raises(NotFoundError):
        await storage.containers.look(name)
