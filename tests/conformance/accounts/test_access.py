"""Addresses that name a policy of their container: they lapse with it, and work again once it is extended."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import anyio
import anyio.lowlevel
import pytest
import pytest_asyncio
from azure.storage.blob import AccessPolicy
from azure.storage.blob.aio import ContainerClient

from orchestrator.accounts import Account, StorageAccount, settings_from_environment
from orchestrator.accounts.access import Access, Grant
from orchestrator.errors import NotFoundError, ServiceError
from orchestrator.limits import Limits
from orchestrator.local import LocalService
from tests.conformance.accounts.addresses import fetch, opens, until_opens

pytestmark = pytest.mark.asyncio(loop_scope="module")
_LATER = datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def storage(account: Account) -> StorageAccount:
    return account.storage


@pytest_asyncio.fixture(loop_scope="module")
async def container(storage: StorageAccount) -> AsyncIterator[str]:
    """A new container with one blob, which is deleted at the end."""
    name = f"c-{os.urandom(6).hex()}"
    await storage.create_container(name)
    await storage.upload_bytes(name, "b", b"content")
    yield name
    await storage.delete_container(name)


@pytest_asyncio.fixture(loop_scope="module")
async def theirs(service: LocalService, container: str) -> AsyncIterator[ContainerClient]:
    """Somebody else at the same container."""
    connection = service.settings.as_environment()["AZURE_STORAGE_CONNECTION_STRING"]
    async with ContainerClient.from_connection_string(connection, container) as client:
        yield client


async def keep_open(storage: StorageAccount, container: str, lifetime: float, least: float) -> Grant:
    grant = await storage.keep_open(container, Access.READ, lifetime=lifetime, least=least)
    assert grant is not None
    return grant


async def test_an_address_that_has_lapsed_works_again_as_it_stands(
    storage: StorageAccount, container: str
) -> None:
    url = (await storage.read_url(container, "b", until=_LATER)).reveal()
    assert await opens(url) is False
    await keep_open(storage, container, lifetime=2, least=1)
    assert await fetch("GET", url) == (200, b"content")
    await until_opens(url, does=False)
    await keep_open(storage, container, lifetime=3600, least=1800)
    assert await fetch("GET", url) == (200, b"content")


async def test_what_lasts_long_enough_is_left_as_it_is_and_never_ends_sooner(
    storage: StorageAccount, container: str
) -> None:
    first = await keep_open(storage, container, lifetime=3600, least=1800)
    assert first.left == pytest.approx(3600, abs=2)
    kept = await keep_open(storage, container, lifetime=3600, least=1800)
    assert kept.expiry == first.expiry.replace(microsecond=0)
    shorter = await keep_open(storage, container, lifetime=60, least=54)
    assert shorter.expiry == kept.expiry
    longer = await keep_open(storage, container, lifetime=7200, least=6480)
    assert longer.left == pytest.approx(7200, abs=2)


async def test_the_policies_of_others_stay(
    storage: StorageAccount, container: str, theirs: ContainerClient
) -> None:
    until = datetime(2099, 1, 2, tzinfo=UTC)
    await theirs.set_container_access_policy({"theirs": AccessPolicy(permission="rl", expiry=until)})
    await storage.keep_open(container, Access.READ, lifetime=60, least=30)
    await storage.keep_open(container, Access.WRITE, lifetime=60, least=30)
    found = (await theirs.get_container_access_policy())["signed_identifiers"]
    told = {each.id: (each.access_policy.permission, str(each.access_policy.expiry)[:10]) for each in found}
    assert told.pop("theirs") == ("rl", "2099-01-02")
    assert {name: permission for name, (permission, _) in told.items()} == {
        "orchestrator-read": "r",
        "orchestrator-write": "cw",
    }


async def test_a_policy_that_somebody_has_widened_is_put_right(
    storage: StorageAccount, container: str, theirs: ContainerClient
) -> None:
    wide = AccessPolicy(permission="rwdl", expiry=datetime(2099, 1, 2, tzinfo=UTC))
    await theirs.set_container_access_policy({"orchestrator-read": wide})
    grant = await keep_open(storage, container, lifetime=60, least=30)
    assert grant.left == pytest.approx(60, abs=2)
    (found,) = (await theirs.get_container_access_policy())["signed_identifiers"]
    assert found.access_policy.permission == "r"


async def test_many_runs_at_one_container_leave_it_open_for_the_longest_of_them(
    storage: StorageAccount, container: str
) -> None:
    rng = random.Random(4)
    lifetimes = [3600.0 * (1 + number) for number in range(8)]
    rng.shuffle(lifetimes)

    async def one(lifetime: float) -> None:
        await keep_open(storage, container, lifetime=lifetime, least=0.9 * lifetime)

    async with anyio.create_task_group() as group:
        for lifetime in lifetimes:
            group.start_soon(one, lifetime)
    # Changes of one and the same second are not told apart by the service; the next look puts that right.
    for lifetime in lifetimes:
        await one(lifetime)
    grant = await keep_open(storage, container, lifetime=1, least=0)
    assert grant.left == pytest.approx(8 * 3600, abs=5)


async def test_a_container_that_is_gone_is_told(storage: StorageAccount) -> None:
    with pytest.raises(NotFoundError, match="set access of container never-there"):
        await storage.keep_open("never-there", Access.READ, lifetime=60, least=30)


@pytest.mark.parametrize("access", Access)
async def test_waiting_for_addresses_to_work_ends_when_they_do_and_leaves_nothing(
    storage: StorageAccount, container: str, access: Access
) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(storage.wait_until_open, container, access)
        await anyio.lowlevel.checkpoint()
        await storage.keep_open(container, access, lifetime=60, least=30)
    assert [blob.name async for blob in storage.list_blobs(container)] == ["b"]


@pytest.mark.parametrize("access", Access)
async def test_addresses_that_never_work_are_an_error_after_a_while(
    service: LocalService, container: str, access: Access
) -> None:
    limits = Limits(access_start_timeout=0.1, backoff=0.02)
    account = Account(settings_from_environment(service.settings.as_environment()), limits)
    await account.open()
    try:
        with pytest.raises(ServiceError, match="try an address of container") as raised:
            await account.storage.wait_until_open(container, access)
    finally:
        await account.close()
    assert raised.value.status == 403
    assert "sig=" not in str(raised.value)
