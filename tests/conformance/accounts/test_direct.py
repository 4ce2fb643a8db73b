"""Small blobs go and come in one plain request each: checked, signed for their container, silent of it."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from orchestrator.accounts import Account, StorageAccount
from orchestrator.accounts.download import BlobDownload
from orchestrator.errors import (
    DownloadError,
    NotFoundError,
    OrchestratorError,
    ServiceError,
    UnreachableError,
)
from orchestrator.limits import Limits
from orchestrator.states import BlobSnapshot
from tests.conformance.accounts.batch_stub import DROP, HANG, Reply, Seen
from tests.conformance.accounts.storage_stub import StorageStub, refusal

_LIMITS = Limits(attempts=3, backoff=0.01, backoff_limit=0.02, operation_timeout=20.0)
_MIB = 1024 * 1024


@pytest.fixture
async def stub() -> AsyncIterator[StorageStub]:
    served = StorageStub()
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def storage(stub: StorageStub) -> AsyncIterator[StorageAccount]:
    account = Account(stub.storage_settings, _LIMITS)
    await account.open()
    yield account.storage
    await account.close()


def md5_of(content: bytes) -> str:
    return b64encode(hashlib.md5(content).digest()).decode()


def piece(content: bytes, *, of: int | None = None, offset: int = 0, **headers: str) -> Reply:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    last = offset + len(content) - 1
    size = of if of is not None else len(content)
    return Reply(206, content, {"Content-Range": f"bytes {offset}-{last}/{size}", "ETag": '"0x1"', **told})


async def read(storage: StorageAccount) -> bytes:
    return b"".join(await parts_of(storage.download("c", "b")))


async def parts_of(download: BlobDownload) -> list[bytes]:
    parts: list[bytes] = []

    async def take(part: bytes | memoryview) -> None:
        parts.append(bytes(part))

    await download.bring(take)
    return parts


@pytest.mark.parametrize("size", [0, 1, 65 * 1024, _MIB + 1, 4 * _MIB])
async def test_a_small_file_goes_up_in_one_request_with_its_md5(
    stub: StorageStub, storage: StorageAccount, tmp_path: Path, size: int
) -> None:
    content = os.urandom(size)
    (tmp_path / "f").write_bytes(content)
    stub.says(Reply(201))
    await storage.upload_file("c", "t1/a b.txt", tmp_path / "f", md5=hashlib.md5(content).digest())
    (sent,) = stub.seen
    assert (sent.method, sent.raw_path, sent.body) == ("PUT", "/acc/c/t1/a%20b.txt", content)
    assert sent.headers["Content-MD5"] == md5_of(content)
    assert sent.headers["x-ms-blob-type"] == "BlockBlob"
    assert sent.query["sp"] == "rcwl"
    assert "Authorization" not in sent.headers


async def test_one_signature_serves_a_whole_container(stub: StorageStub, storage: StorageAccount) -> None:
    stub.says(Reply(201))
    for blob in ("a", "b"):
        await storage.upload_bytes("c", blob, b"content")
    await storage.upload_bytes("other", "b", b"content")
    first, second, third = (seen.query["sig"] for seen in stub.seen)
    assert first == second != third


async def test_a_small_blob_comes_in_one_request(stub: StorageStub, storage: StorageAccount) -> None:
    stub.says(piece(b"content", x_ms_blob_content_md5=md5_of(b"content")))
    assert await read(storage) == b"content"
    (asked,) = stub.seen
    assert asked.headers["x-ms-range"] == f"bytes=0-{5 * _MIB - 1}"


@pytest.mark.parametrize("header", ["x-ms-blob-content-md5", "Content-MD5"])
async def test_what_there_is_to_know_of_a_blob_comes_with_its_first_piece(
    stub: StorageStub, storage: StorageAccount, header: str
) -> None:
    told = piece(b"content")
    stub.says(Reply(206, told.body, {**told.headers, header: md5_of(b"content")}))
    download = storage.download("c", "b")
    assert download.found is None
    await parts_of(download)
    assert download.found == BlobSnapshot(name="b", size=7, md5=hashlib.md5(b"content").digest())


async def test_the_md5_of_a_piece_is_not_taken_for_that_of_the_blob(
    stub: StorageStub, storage: StorageAccount
) -> None:
    first = piece(b"x" * (4 * _MIB), of=4 * _MIB + 1, Content_MD5=md5_of(b"x" * (4 * _MIB)))
    stub.says(first, piece(b"x", of=4 * _MIB + 1, offset=4 * _MIB))
    download = storage.download("c", "b")
    assert sum(len(part) for part in await parts_of(download)) == 4 * _MIB + 1
    assert download.found == BlobSnapshot(name="b", size=4 * _MIB + 1)


@pytest.mark.parametrize(("near", "requests"), [(True, 2), (False, 4)])
async def test_the_parts_of_a_large_blob_come_in_order_and_of_one_version(
    stub: StorageStub, storage: StorageAccount, *, near: bool, requests: int
) -> None:
    storage._near = near
    content = os.urandom(40 * _MIB)

    def part(seen: Seen) -> Reply:
        first, last = map(int, seen.headers["x-ms-range"].removeprefix("bytes=").split("-"))
        return piece(content[first : last + 1], of=len(content), offset=first)

    stub.says(part)
    assert await read(storage) == content
    assert [seen.headers.get("If-Match") for seen in stub.seen] == [None, *['"0x1"'] * (requests - 1)]


@pytest.mark.parametrize("near", [True, False])
async def test_a_part_that_is_refused_ends_the_whole_with_the_refusal_itself(
    stub: StorageStub, storage: StorageAccount, *, near: bool
) -> None:
    storage._near = near
    stub.says(piece(b"x" * (4 * _MIB), of=20 * _MIB), refusal(412, "ConditionNotMet"))
    with pytest.raises(ServiceError) as raised:
        await read(storage)
    assert raised.value.code == "ConditionNotMet"


async def test_what_is_cut_off_or_dropped_is_asked_for_again(
    stub: StorageStub, storage: StorageAccount
) -> None:
    stub.says(DROP)
    with pytest.raises(UnreachableError):
        await read(storage)
    cut = Reply(206, b"x" * 100, piece(b"x" * 200).headers, accident="cut")
    stub.says(cut, refusal(500, "InternalError"), piece(b"content"))
    assert await read(storage) == b"content"


async def test_a_large_blob_that_breaks_off_goes_on_where_it_was(
    stub: StorageStub, storage: StorageAccount
) -> None:
    content = os.urandom(20 * _MIB)
    broken = 0

    def part(seen: Seen) -> Reply:
        nonlocal broken
        first, last = map(int, seen.headers["x-ms-range"].removeprefix("bytes=").split("-"))
        told = piece(content[first : last + 1], of=len(content), offset=first)
        if first < 5 * _MIB or broken >= 2:
            return told
        broken += 1
        return Reply(206, content[first : first + _MIB], told.headers, accident="cut")

    stub.says(part)
    assert await read(storage) == content
    begun = [int(seen.headers["x-ms-range"].split("=")[1].split("-")[0]) for seen in stub.seen]
    assert begun[:2] == [0, 5 * _MIB]
    assert begun == sorted(begun)
    assert len(begun) == 4


@pytest.mark.parametrize("method", ["put", "get", "look"])
async def test_no_error_shows_the_signature(stub: StorageStub, storage: StorageAccount, method: str) -> None:
    async def act() -> None:
        if method == "put":
            await storage.upload_bytes("c", "b", b"content")
        elif method == "get":
            await read(storage)
        else:
            await storage.blob("c", "b")

    def quoting(seen: Seen) -> Reply:
        query = "&amp;".join(f"{name}={value}" for name, value in seen.query.items())
        return refusal(403, "AuthorizationFailure", f"Refused: {seen.raw_path}?{query}")

    for reply in (quoting, DROP):
        stub.says(reply)
        with pytest.raises(OrchestratorError) as raised:
            await act()
        signature = stub.seen[-1].query["sig"]
        told: BaseException | None = raised.value
        while told is not None:
            assert signature not in f"{told} {told!r}"
            told = told.__cause__


async def test_a_look_that_is_refused_has_a_code_though_it_has_no_body(
    stub: StorageStub, storage: StorageAccount
) -> None:
    stub.says(Reply(404, None, {"x-ms-error-code": "ContainerNotFound"}))
    assert await storage.blob("c", "b") is None
    with pytest.raises(NotFoundError) as raised:
        await storage.upload_bytes("c", "b", b"content")
    assert raised.value.code == "ContainerNotFound"


async def test_a_signature_is_not_shown_to_another_address(
    stub: StorageStub, storage: StorageAccount
) -> None:
    stub.says(Reply(307, None, {"Location": f"http://127.0.0.1:{stub.port}/elsewhere"}))
    with pytest.raises(ServiceError):
        await read(storage)
    assert [seen.raw_path for seen in stub.seen] == ["/acc/c/b"]


async def test_a_blob_is_brought_as_it_is_whatever_encoding_it_claims(
    stub: StorageStub, storage: StorageAccount
) -> None:
    stub.says(piece(b"not gzip at all", Content_Encoding="gzip"))
    assert await read(storage) == b"not gzip at all"


async def test_a_reader_that_leaves_early_or_is_cancelled_gives_its_memory_back(
    stub: StorageStub, storage: StorageAccount
) -> None:
    stub.says(piece(b"x" * (4 * _MIB), of=8 * _MIB))

    async def full(_: bytes | memoryview) -> None:
        raise DownloadError("No space left on device")

    with pytest.raises(DownloadError):
        await storage.download("c", "b").bring(full)
    assert storage.memory_free == _LIMITS.transfer_bytes
    stub.says(HANG)
    stub.arrived.clear()
    async with anyio.create_task_group() as group:
        group.start_soon(read, storage)
        with anyio.fail_after(10):
            await stub.arrived.wait()
        group.cancel_scope.cancel()
    assert storage.memory_free == _LIMITS.transfer_bytes


def listed(*blobs: str, following: str = "") -> Reply:
    told = "".join(f"<Blob>{blob}</Blob>" for blob in blobs)
    body = (
        "<?xml version='1.0' encoding='utf-8'?><EnumerationResults ServiceEndpoint='x'>"
        f"<Blobs>{told}</Blobs><NextMarker>{following}</NextMarker></EnumerationResults>"
    )
    return Reply(200, f"\ufeff{body}".encode(), {"Content-Type": "application/xml"})


EMPTY = "<Properties><Content-Length>0</Content-Length></Properties>"


async def test_a_list_is_followed_to_its_last_page_and_names_are_what_they_are(
    stub: StorageStub, storage: StorageAccount
) -> None:
    properties = (
        "<Properties><Content-Length>7</Content-Length><Content-MD5>{}</Content-MD5></Properties>"
    ).format(md5_of(b"content"))
    stub.says(
        listed(f"<Name>t/a &amp; b</Name>{properties}", following="2!x&amp;y/="),
        listed(f'<Name Encoded="true">t/%EF%BF%BE%20</Name>{EMPTY}'),
    )
    found = [blob async for blob in storage.list_blobs("c", "t/")]
    assert found == [
        BlobSnapshot(name="t/a & b", size=7, md5=hashlib.md5(b"content").digest()),
        BlobSnapshot(name="t/\ufffe ", size=0, md5=None),
    ]
    first, second = stub.seen
    assert (first.raw_path, first.query["prefix"], "marker" in first.query) == ("/acc/c", "t/", False)
    assert second.query["marker"] == "2!x&y/="


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<EnumerationResults>",
        b"<a>\x00</a>",
        b"not a list",
        # Nobody knows whether it is empty, and what is empty is not asked for.
        listed("<Name>t/a</Name><Properties></Properties>").body,
    ],
)
async def test_a_list_that_is_none_is_told(stub: StorageStub, storage: StorageAccount, body: bytes) -> None:
    stub.says(Reply(200, body))
    with pytest.raises(ServiceError, match="list") as raised:
        _ = [blob async for blob in storage.list_blobs("c")]
    assert raised.value.code == "UnreadableList"
    assert len(stub.seen) == 1
