"""The storage client against real blobs: what goes in comes out, and only signed addresses open anything."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio.lowlevel
import pytest
import pytest_asyncio
from blockbuster import blockbuster_ctx

from orchestrator.accounts import Account, StorageAccount, settings_from_environment
from orchestrator.accounts.access import Access
from orchestrator.accounts.upload import version_of
from orchestrator.errors import NotFoundError, ServiceError, StagingError
from orchestrator.limits import Limits
from orchestrator.local import LocalService
from orchestrator.states import BlobSnapshot
from tests.conformance.accounts.addresses import fetch

pytestmark = pytest.mark.asyncio(loop_scope="module")

_SIZES = [0, 1, 4096, 1024 * 1024, 1024 * 1024 + 1, 9 * 1024 * 1024 + 3]


@pytest.fixture
def storage(account: Account) -> StorageAccount:
    return account.storage


@pytest_asyncio.fixture(loop_scope="module")
async def container(storage: StorageAccount) -> AsyncIterator[str]:
    """A new container, which is deleted at the end."""
    name = f"c-{os.urandom(6).hex()}"
    assert await storage.create_container(name, metadata={"orchestrator_run": "r1"})
    yield name
    await storage.delete_container(name)


def an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


async def read(storage: StorageAccount, container: str, name: str) -> bytes:
    return b"".join(await pieces_of(storage, container, name))


async def pieces_of(storage: StorageAccount, container: str, name: str) -> list[bytes]:
    pieces: list[bytes] = []

    async def take(piece: bytes | memoryview) -> None:
        pieces.append(bytes(piece))

    await storage.download(container, name).bring(take)
    return pieces


@pytest.mark.parametrize("size", _SIZES)
async def test_a_file_of_any_size_comes_back_with_its_md5(
    storage: StorageAccount, container: str, tmp_path: Path, size: int
) -> None:
    content = os.urandom(size)
    md5 = hashlib.md5(content).digest()
    (tmp_path / "f").write_bytes(content)
    await storage.upload_file(container, "0001-blob", tmp_path / "f", md5=md5)
    assert await storage.blob(container, "0001-blob") == BlobSnapshot(name="0001-blob", size=size, md5=md5)
    pieces = await pieces_of(storage, container, "0001-blob")
    assert b"".join(pieces) == content
    assert all(0 < len(piece) <= 5 * 1024 * 1024 for piece in pieces)


@pytest.mark.parametrize("size", [10, 3 * 1024 * 1024])
async def test_a_file_that_changed_since_it_was_hashed_is_refused(
    storage: StorageAccount, container: str, tmp_path: Path, size: int
) -> None:
    (tmp_path / "f").write_bytes(b"x" * size)
    with pytest.raises(StagingError, match="changed") as raised:
        await storage.upload_file(container, "b", tmp_path / "f", md5=b"0" * 16)
    assert raised.value.path == str(tmp_path / "f")
    assert await storage.blob(container, "b") is None


async def test_a_file_that_is_not_there_is_named(
    storage: StorageAccount, container: str, tmp_path: Path
) -> None:
    with pytest.raises(StagingError, match="No such file"):
        await storage.upload_file(container, "b", tmp_path / "none", md5=b"0" * 16)


@pytest.mark.parametrize("size", [5, 9 * 1024 * 1024 + 3])
async def test_the_md5_of_a_file_can_be_made_on_its_way(
    storage: StorageAccount, container: str, tmp_path: Path, size: int
) -> None:
    content = os.urandom(size)
    (tmp_path / "f").write_bytes(content)
    version = version_of((tmp_path / "f").stat())
    md5 = await storage.upload_file(container, "b", tmp_path / "f", md5=None, version=version)
    assert md5 == hashlib.md5(content).digest()
    assert await storage.blob(container, "b") == BlobSnapshot(name="b", size=size, md5=md5)
    assert await read(storage, container, "b") == content


@pytest.mark.parametrize("size", [5, 9 * 1024 * 1024 + 3])
async def test_a_file_that_was_changed_by_then_becomes_no_blob(
    storage: StorageAccount, container: str, tmp_path: Path, size: int
) -> None:
    file = tmp_path / "f"
    file.write_bytes(os.urandom(size))
    before = file.stat()
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    with pytest.raises(StagingError, match="changed"):
        await storage.upload_file(container, "b", file, md5=None, version=version_of(before))
    assert await storage.blob(container, "b") is None


async def test_a_file_that_is_changed_while_it_goes_up_becomes_no_blob(
    storage: StorageAccount, container: str, tmp_path: Path
) -> None:
    file = tmp_path / "f"
    file.write_bytes(os.urandom(9 * 1024 * 1024 + 3))
    version, budget = version_of(file.stat()), storage._budget

    async def upload() -> None:
        with pytest.raises(StagingError, match="changed"):
            await storage.upload_file(container, "b", file, md5=None, version=version)

    async with anyio.create_task_group() as group:
        held = await budget.take(budget.free)
        group.start_soon(upload)
        with anyio.fail_after(10):
            while not budget.waiting:  # once its first block waits, the file is open
                await anyio.lowlevel.checkpoint()
        os.utime(file, ns=(version.modified_ns, version.modified_ns + 1))
        budget.give_back(held)
    assert await storage.blob(container, "b") is None


async def test_a_refused_block_ends_the_upload_with_the_refusal_itself(
    storage: StorageAccount, tmp_path: Path
) -> None:
    content = os.urandom(9 * 1024 * 1024)
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(NotFoundError) as raised:
        await storage.upload_file("no-such-container", "b", tmp_path / "f", md5=hashlib.md5(content).digest())
    assert raised.value.code == "ContainerNotFound"


async def test_writing_again_replaces_the_blob(storage: StorageAccount, container: str) -> None:
    await storage.upload_bytes(container, "b", b"first and longer")
    await storage.upload_bytes(container, "b", b"second")
    assert await read(storage, container, "b") == b"second"


async def test_a_blob_that_is_replaced_while_it_is_read_is_not_mixed(
    storage: StorageAccount, container: str
) -> None:
    await storage.upload_bytes(container, "b", b"1" * (6 * 1024 * 1024))

    async def replace(_: bytes | memoryview) -> None:
        await storage.upload_bytes(container, "b", b"2" * (6 * 1024 * 1024))

    with pytest.raises(ServiceError) as raised:
        await storage.download(container, "b").bring(replace)
    assert raised.value.code == "ConditionNotMet"


async def test_what_is_not_there_is_told(storage: StorageAccount, container: str) -> None:
    assert await storage.blob(container, "none") is None
    assert await storage.blob("no-such-container", "none") is None
    with pytest.raises(NotFoundError) as raised:
        await read(storage, container, "none")
    assert raised.value.code == "BlobNotFound"
    with pytest.raises(NotFoundError):
        _ = [blob async for blob in storage.list_blobs("no-such-container")]


async def test_a_container_is_created_once_and_deleted_once(storage: StorageAccount) -> None:
    name = f"c-{os.urandom(6).hex()}"
    assert await storage.create_container(name, metadata={"orchestrator_run": "R1"})
    assert not await storage.create_container(name)
    assert await storage.delete_container(name)
    assert not await storage.delete_container(name)


async def test_a_bad_name_is_refused_not_taken_for_there(storage: StorageAccount) -> None:
    with pytest.raises(ServiceError):
        await storage.create_container("x")


async def test_every_page_of_a_list_is_read(storage: StorageAccount, container: str) -> None:
    names = [f"t{number:03}/out" for number in range(260)]
    for name in [*names, "other"]:
        await storage.upload_bytes(container, name, b"x")
    assert [blob.name async for blob in storage.list_blobs(container, "t")] == names
    assert len([blob async for blob in storage.list_blobs(container)]) == 261


@pytest.mark.parametrize("name", ["0001-ab", "t1/wd/ä b.txt", "a%20b", "q?&=+#x", "日本", "'quoted'"])
async def test_a_read_address_opens_its_blob_and_is_recognised(
    storage: StorageAccount, container: str, name: str
) -> None:
    await storage.upload_bytes(container, name, b"content")
    await storage.keep_open(container, Access.READ, lifetime=60, least=30)
    url = await storage.read_url(container, name, until=an_hour())
    assert await fetch("GET", url.reveal()) == (200, b"content")
    assert (await fetch("GET", url.reveal().partition("?")[0]))[0] in (401, 403, 404)
    assert (await fetch("PUT", url.reveal(), b"changed"))[0] == 403
    assert storage.owns_url(url.reveal()) == (container, name)
    assert "***" in str(url)
    assert [blob.name async for blob in storage.list_blobs(container)] == [name]


async def test_a_write_address_takes_new_blobs_and_shows_none(
    storage: StorageAccount, container: str
) -> None:
    await storage.keep_open(container, Access.WRITE, lifetime=60, least=30)
    url = await storage.write_url(container, until=an_hour())
    base, _, query = url.reveal().partition("?")
    assert (await fetch("PUT", f"{base}/t1/new?{query}", b"content"))[0] == 201
    assert (await fetch("GET", f"{base}/t1/new?{query}"))[0] == 403
    assert (await fetch("GET", f"{base}?restype=container&comp=list&{query}"))[0] == 403
    assert await read(storage, container, "t1/new") == b"content"


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.blob.core.windows.net/c/b",
        "http://127.0.0.1:1/local/c/b",
        "http://[broken",
        "",
        "not an address",
    ],
)
async def test_a_strange_address_is_not_ours(storage: StorageAccount, url: str) -> None:
    assert storage.owns_url(url) is None


async def test_the_container_itself_is_no_blob(storage: StorageAccount, container: str) -> None:
    url = await storage.write_url(container, until=an_hour())
    assert storage.owns_url(url.reveal()) is None


async def test_nothing_blocks_the_event_loop(service: LocalService, container: str, tmp_path: Path) -> None:
    content = os.urandom(5 * 1024 * 1024)
    md5 = hashlib.md5(content).digest()
    (tmp_path / "f").write_bytes(content)
    settings = settings_from_environment(service.settings.as_environment())
    with blockbuster_ctx():
        account = Account(settings, Limits())
        await account.open()
        try:
            await account.storage.upload_file(container, "b", tmp_path / "f", md5=md5)
            assert await read(account.storage, container, "b") == content
            assert [blob.size async for blob in account.storage.list_blobs(container)] == [len(content)]
            assert await account.batch.list_pools() == ()
        finally:
            await account.close()
