"""Files of any size, several at once, changing under way, over plain and encrypted connections."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import ipaddress
import json
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from node_task.delivery import deliver
from node_task.destination import Destination
from node_task.errors import FileError, UploadError, UsageError
from node_task.manifest import describe
from node_task.retry import Patience
from node_task.upload import Sizes, Uploader
from tests.acceptance.node_task.programs import LIMIT, topwords
from tests.acceptance.node_task.storage import CONTAINER, SAS, SECRET, Storage, answers, md5, resets

T = TypeVar("T")
QUICK = Patience(total=20.0, first_pause=0.01, longest_pause=0.05)
SMALL = Sizes(single=1000, block=400)


def uploader(url: str, patience: Patience = QUICK, sizes: Sizes = SMALL) -> Uploader:
    return Uploader(Destination.parse(url, "task-1"), patience, sizes)


async def in_thread(work: Callable[[], T]) -> T:
    return await asyncio.wait_for(asyncio.to_thread(work), LIMIT)


def operations(storage: Storage) -> list[tuple[str, int]]:
    return [
        (request.operation, request.size) for request in storage.requests if request.blob == "task-1/file"
    ]


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
async def test_a_file_up_to_the_limit_goes_up_in_one_request(
    tmp_path: Path, storage: Storage, size: int
) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    await in_thread(lambda: deliver([tmp_path / "file"], tmp_path, uploader(storage.url)))
    assert operations(storage) == [("blob", size)]
    assert storage.blobs["task-1/file"] == content


@pytest.mark.parametrize(
    ("size", "blocks"), [(1001, [400, 400, 201]), (1200, [400, 400, 400]), (1201, [400, 400, 400, 1])]
)
async def test_a_larger_file_goes_up_in_blocks_and_carries_the_md5_of_the_whole(
    tmp_path: Path, storage: Storage, size: int, blocks: list[int]
) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    await in_thread(lambda: deliver([tmp_path / "file"], tmp_path, uploader(storage.url)))
    assert operations(storage)[:-1] == [("block", block) for block in blocks]
    assert operations(storage)[-1][0] == "blocklist"
    assert storage.blobs["task-1/file"] == content
    assert storage.properties["task-1/file"] == {"type": "application/octet-stream", "md5": md5(content)}


async def test_every_request_of_a_file_in_blocks_survives_passing_faults(
    tmp_path: Path, storage: Storage
) -> None:
    content = os.urandom(1001)
    (tmp_path / "file").write_bytes(content)
    busy = answers(503, "ServerBusy")
    storage.faults.extend([busy, None, resets, None, busy, None, resets, None])
    await in_thread(lambda: deliver([tmp_path / "file"], tmp_path, uploader(storage.url)))
    assert storage.blobs["task-1/file"] == content
    assert len(operations(storage)) == 8


async def test_a_file_of_many_pieces_arrives_whole(tmp_path: Path, storage: Storage) -> None:
    content = os.urandom(5_000_001)
    (tmp_path / "file").write_bytes(content)
    storage.faults.append(resets)
    await in_thread(lambda: deliver([tmp_path / "file"], tmp_path, uploader(storage.url, sizes=Sizes())))
    assert operations(storage) == [("blob", 0), ("blob", 5_000_001)]
    assert storage.blobs["task-1/file"] == content
    await in_thread(
        lambda: deliver(
            [tmp_path / "file"], tmp_path, uploader(storage.url, sizes=Sizes(single=1, block=3_000_000))
        )
    )
    assert storage.blobs["task-1/file"] == content


async def test_several_files_share_one_manifest_which_comes_last(tmp_path: Path, storage: Storage) -> None:
    (tmp_path / "sub").mkdir()
    files = [tmp_path / "b", tmp_path / "sub" / "a", tmp_path / "c"]
    for file in files:
        file.write_text(file.name)
    entries = await in_thread(lambda: deliver(files, tmp_path, uploader(storage.url)))
    assert [entry.path for entry in entries] == ["b", "sub/a", "c"]
    assert [request.blob for request in storage.requests] == [
        "task-1/b",
        "task-1/sub/a",
        "task-1/c",
        "task-1/manifest.json",
    ]
    manifest = json.loads(storage.blobs["task-1/manifest.json"])
    assert [file["path"] for file in manifest["files"]] == ["b", "c", "sub/a"]


async def test_without_files_there_is_an_empty_manifest(tmp_path: Path, storage: Storage) -> None:
    await in_thread(lambda: deliver([], tmp_path, uploader(storage.url)))
    assert json.loads(storage.blobs["task-1/manifest.json"]) == {"version": 1, "files": []}


async def test_nothing_goes_up_where_one_name_is_impossible(tmp_path: Path, storage: Storage) -> None:
    (tmp_path / "good").touch()
    (tmp_path / "manifest.json").touch()
    with pytest.raises(UsageError):
        deliver([tmp_path / "good", tmp_path / "manifest.json"], tmp_path, uploader(storage.url))
    assert storage.requests == []


async def test_there_is_no_manifest_where_a_file_is_missing(tmp_path: Path, storage: Storage) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="cannot read"):
        await in_thread(
            lambda: deliver([tmp_path / "file", tmp_path / "missing"], tmp_path, uploader(storage.url))
        )
    assert set(storage.blobs) == {"task-1/file"}


@pytest.mark.parametrize("size", [500, 2000])
@pytest.mark.parametrize("change", [b"", b"shorter", b"longer" * 1000])
async def test_a_file_that_changed_since_it_was_measured_is_no_output(
    tmp_path: Path, storage: Storage, size: int, change: bytes
) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(size))
    measured = describe(file, "file")
    file.write_bytes(change)
    with pytest.raises(FileError, match="it changed while it was being uploaded"):
        await in_thread(lambda: uploader(storage.url).put_file(file, measured))
    assert storage.blobs == {}


@pytest.mark.parametrize(("size", "error"), [(500, UploadError), (2000, FileError)])
async def test_a_file_of_the_same_size_but_another_content_is_no_output(
    tmp_path: Path, storage: Storage, size: int, error: type[Exception]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(size))
    measured = dataclasses.replace(describe(file, "file"), md5=md5(b"another"))
    with pytest.raises(error):
        await in_thread(lambda: uploader(storage.url).put_file(file, measured))
    assert storage.blobs == {}


@asynccontextmanager
async def serving(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A server of bare connections; the URL of a container on it."""
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await handler(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{CONTAINER}?{SAS}"
    if connections:
        await asyncio.wait(connections, timeout=LIMIT)


async def test_a_refusal_that_comes_before_the_body_was_read_is_understood(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(32_000_000))

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 403 Forbidden\r\nx-ms-error-code: AuthenticationFailed\r\n"
            b"Content-Length: 0\r\nConnection: close\r\n\r\n"
        )

    async with serving(refuse) as url:
        with pytest.raises(UploadError, match=r"403 AuthenticationFailed$"):
            await in_thread(lambda: deliver([tmp_path / "file"], tmp_path, uploader(url, sizes=Sizes())))


async def test_a_server_that_stops_reading_is_given_up_when_the_time_is_over(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(64_000_000))
    over = asyncio.Event()

    async def stop(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await over.wait()

    async with serving(stop) as url:
        with pytest.raises(UploadError, match=r"timed out; attempts: 1$"):
            await in_thread(
                lambda: deliver([tmp_path / "file"], tmp_path, uploader(url, Patience(total=0.5), Sizes()))
            )
        over.set()


class Slow(asyncio.Protocol):
    """Reads, but never fast: the connection is busy all the time."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, _exc: Exception | None) -> None:
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        self.transport.pause_reading()
        asyncio.get_running_loop().call_later(0.02, self._go_on)

    def _go_on(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()


async def test_a_slow_connection_ends_with_the_time_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(64_000_000))
    slow = Slow()
    server = await asyncio.get_running_loop().create_server(lambda: slow, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{CONTAINER}?{SAS}"
        with pytest.raises(UploadError, match=r"no time left to send it$"):
            await in_thread(
                lambda: deliver([tmp_path / "file"], tmp_path, uploader(url, Patience(total=1.0), Sizes()))
            )
        slow.transport.abort()
        await asyncio.wait_for(slow.closed.wait(), LIMIT)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        f"HTTP/1.1 ?{SAS} x\r\n\r\n".encode(),
        b"HTTP/1.1 201 " + b"x" * 70_000,
    ],
)
async def test_what_is_no_answer_is_tried_again_and_not_repeated_in_the_message(
    tmp_path: Path, answer: bytes
) -> None:
    (tmp_path / "file").touch()

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    patience = Patience(total=0.5, first_pause=0.1, longest_pause=0.1)
    async with serving(babble) as url:
        with pytest.raises(UploadError, match=r"no valid answer; attempts: \d+$") as caught:
            await in_thread(lambda: deliver([tmp_path / "file"], tmp_path, uploader(url, patience)))
    assert SECRET not in str(caught.value)


async def test_no_request_is_sent_when_there_is_no_time(tmp_path: Path, storage: Storage) -> None:
    with pytest.raises(UploadError, match=r"manifest.json: no time left$"):
        await in_thread(lambda: deliver([], tmp_path, uploader(storage.url, Patience(total=0.0))))
    assert storage.requests == []


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for loopback that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(
        signed.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


async def test_an_encrypted_connection_needs_a_trusted_certificate(tmp_path: Path, certificate: Path) -> None:
    storage = Storage()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    runner = web.ServerRunner(web.Server(storage.handle), shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        url = f"https://127.0.0.1:{runner.addresses[0][1]}{CONTAINER}?{SAS}"
        environ = {"ORCHESTRATOR_OUTPUT_URL": url, "ORCHESTRATOR_OUTPUT_PREFIX": "task-1"}
        (tmp_path / "a").write_text("a")
        ended = await topwords("a", cwd=tmp_path, environ=environ)
        assert ended.exit_code == 3
        assert "a_OUTPUT: TLS: self" in ended.stderr
        assert SECRET not in ended.stderr
        assert storage.requests == []

        storage.faults.append(resets)
        ended = await topwords("a", cwd=tmp_path, environ={**environ, "SSL_CERT_FILE": str(certificate)})
        assert (ended.exit_code, ended.stderr) == (0, "")
        assert set(storage.blobs) == {"task-1/a_OUTPUT", "task-1/manifest.json"}
    finally:
        await runner.cleanup()
