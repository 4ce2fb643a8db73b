"""Blobs as plain HTTP requests: one PUT, GET or HEAD each, opened by a signature of the whole container.

The SDK takes 2.5 ms of CPU for a blob, whatever its size, and a third of a millisecond to list one, which
makes the client the bottleneck of many small files; a plain request takes a fifth of that (measured). What is
sent carries its MD5, which the service checks; with what comes the MD5 of the whole blob is told, for whoever
puts its pieces together.

Source of facts: REST Put Blob, Get Blob, Get Blob Properties, List Blobs, Specifying the Range Header.
"""

from __future__ import annotations

import hashlib
import io
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET

import msgspec
from yarl import URL

from orchestrator.accounts.failures import Answer, AnswerError, Failure, refusal
from orchestrator.states import BlobSnapshot

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

    from orchestrator.accounts.signing import SasSigner

VERSION: Final = "2023-11-03"
"""Of the REST API: all that is used here is older, and every Azurite since then takes it."""

_PERMISSIONS: Final = "rcwl"
_LIFETIME: Final = timedelta(hours=2)
_RENEWED: Final = timedelta(hours=1)
"""A container's signature is made anew when it has less than this left; no request takes that long."""
_MOST_SIGNED: Final = 256
"""Containers whose signatures are kept at once."""
_RUN: Final = 256 * 1024
"""What is handed to the connection at a time."""
_ONE_RUN: Final = 1024 * 1024
"""Past this size aiohttp warns of a body that is one run of bytes: it may block the event loop."""


class Piece(msgspec.Struct, frozen=True):
    """A piece of a blob.

    Args:
        chunks: its bytes, as they came; none of them is empty.
        size: of the whole blob.
        etag: of the version that it is a piece of.
        md5: that the whole blob has, where somebody has told the service.
    """

    chunks: Sequence[bytes]
    size: int
    etag: str
    md5: bytes | None = None

    @property
    def length(self) -> int:
        """Of the piece, in bytes."""
        return sum(map(len, self.chunks))


class DirectBlobs:
    """Requests for single blobs; each is one try, without retries.

    Every method raises AnswerError when the service refuses, and lets the transport's errors through: both
    are for `retry.persist`.

    Args:
        session: of aiohttp.
        address: of the account, without a slash at its end.
        signer: signs for a container.
    """

    def __init__(self, session: ClientSession, *, address: str, signer: SasSigner) -> None:
        self._session = session
        self._address = address
        self._signer = signer
        self._signed: dict[str, tuple[datetime, str]] = {}

    async def put(self, container: str, blob: str, data: bytes, *, md5: bytes) -> None:
        """Write a blob in one request, over one of that name (REST: Put Blob).

        Args:
            container: of the blob.
            blob: its name.
            data: its content.
            md5: of the content; the service refuses another content, and keeps it with the blob.
        """
        headers = {
            "x-ms-blob-type": "BlockBlob",
            "Content-MD5": b64encode(md5).decode(),
            "Content-Type": "application/octet-stream",
        }
        body = data if len(data) <= _ONE_RUN else io.BytesIO(data)
        async with self._answer("PUT", container, blob, headers, body) as answer:
            if answer.status != HTTPStatus.CREATED:
                raise await _refused(answer)

    async def put_block(
        self, container: str, blob: str, block_id: str, data: bytes | memoryview, *, md5: bytes
    ) -> None:
        """Send a block of a blob, which shows nowhere before it is put in its place (REST: Put Block).

        Args:
            container: of the blob.
            blob: its name.
            block_id: in base64; all ids of a blob are as long as each other.
            data: its content.
            md5: of the content; the service refuses another content.
        """
        headers = {"Content-MD5": b64encode(md5).decode(), "Content-Length": str(len(data))}
        query = f"comp=block&blockid={quote(block_id, safe='')}&"
        async with self._answer("PUT", container, blob, headers, _runs(data), query=query) as answer:
            if answer.status != HTTPStatus.CREATED:
                raise await _refused(answer)

    async def put_blocks(self, container: str, blob: str, block_ids: Sequence[str], *, md5: bytes) -> None:
        """Make a blob of blocks that were sent, over one of that name (REST: Put Block List).

        Args:
            container: of the blob.
            blob: its name.
            block_ids: in order.
            md5: of the whole, which the service keeps with the blob and does not check.
        """
        listed = "".join(f"<Latest>{block_id}</Latest>" for block_id in block_ids)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode()
        headers = {
            "x-ms-blob-content-md5": b64encode(md5).decode(),
            "x-ms-blob-content-type": "application/octet-stream",
            "Content-Type": "application/xml",
            "Content-MD5": b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
        }
        sent = body if len(body) <= _ONE_RUN else io.BytesIO(body)
        async with self._answer("PUT", container, blob, headers, sent, query="comp=blocklist&") as answer:
            if answer.status != HTTPStatus.CREATED:
                raise await _refused(answer)

    async def get(
        self,
        container: str,
        blob: str,
        *,
        offset: int,
        length: int,
        etag: str | None = None,
    ) -> Piece:
        """Read a piece of a blob, or the whole of a small one, compared with no MD5 (REST: Get Blob).

        Args:
            container: of the blob.
            blob: its name.
            offset: of the first byte; a blob without any is refused with 416.
            length: the most bytes that are to come.
            etag: of the version that it must still have.
        """
        headers = {"x-ms-range": f"bytes={offset}-{offset + length - 1}"}
        if etag is not None:
            headers["If-Match"] = etag
        async with self._answer("GET", container, blob, headers) as answer:
            if answer.status != HTTPStatus.PARTIAL_CONTENT:
                raise await _refused(answer)
            # Kept as they come: to join them copies them all, and has them twice meanwhile.
            chunks = [chunk async for chunk in answer.content.iter_any()]
            size = int(answer.headers["Content-Range"].rpartition("/")[2])
            md5 = _told_md5(answer.headers, whole=sum(map(len, chunks)) == size)
            return Piece(chunks, size, answer.headers["ETag"], md5)

    async def pour(
        self,
        container: str,
        blob: str,
        *,
        offset: int,
        length: int,
        etag: str,
        take: Callable[[bytes], Awaitable[None]],
    ) -> None:
        """Read a piece of a blob without keeping it (REST: Get Blob).

        Args:
            container: of the blob.
            blob: its name.
            offset: of the first byte.
            length: the most bytes that are to come.
            etag: of the version that it must still have.
            take: gets what came as it came; what it raises is let through.
        """
        headers = {"x-ms-range": f"bytes={offset}-{offset + length - 1}", "If-Match": etag}
        async with self._answer("GET", container, blob, headers) as answer:
            if answer.status != HTTPStatus.PARTIAL_CONTENT:
                raise await _refused(answer)
            async for chunk in answer.content.iter_any():
                await take(chunk)

    async def look(self, container: str, blob: str) -> BlobSnapshot:
        """What there is to know of a blob without reading it (REST: Get Blob Properties).

        Args:
            container: of the blob.
            blob: its name.
        """
        async with self._answer("HEAD", container, blob, {}) as answer:
            if answer.status != HTTPStatus.OK:
                raise await _refused(answer)
            md5 = answer.headers.get("Content-MD5")
            size = int(answer.headers["Content-Length"])
            return BlobSnapshot(name=blob, size=size, md5=b64decode(md5) if md5 else None)

    async def page(
        self, container: str, *, prefix: str, marker: str, most: int
    ) -> tuple[list[BlobSnapshot], str]:
        """A page of a container's blobs in the order of their names (REST: List Blobs).

        Args:
            container: its name.
            prefix: of the names that are wanted; empty for all.
            marker: what the page before returned; empty for the first.
            most: blobs on the page.

        Returns:
            The blobs, and what leads to the next page; empty on the last.
        """
        query = {"restype": "container", "comp": "list", "prefix": prefix, "marker": marker}
        told = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items() if value)
        async with self._answer("GET", container, None, {}, query=f"{told}&maxresults={most}&") as answer:
            if answer.status != HTTPStatus.OK:
                raise await _refused(answer)
            return _listed(await answer.read(), answer.status)

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        container: str,
        blob: str | None,
        headers: Mapping[str, str],
        body: bytes | io.BytesIO | AsyncIterable[memoryview] | None = None,
        *,
        query: str = "",
    ) -> AsyncGenerator[ClientResponse]:
        path = container if blob is None else f"{container}/{quote(blob, safe='~/')}"
        signed = await self._signature(container)
        url = URL(f"{self._address}/{path}?{query}{signed}", encoded=True)
        async with self._session.request(
            method,
            url,
            data=body,
            headers={"x-ms-version": VERSION, **headers},
            # A signature opens blobs wherever it is shown: it goes nowhere but to the account.
            allow_redirects=False,
        ) as answer:
            yield answer

    async def _signature(self, container: str) -> str:
        now = datetime.now(UTC)
        known = self._signed.get(container)
        if known is not None and known[0] - now > _RENEWED:
            return known[1]
        until = now + _LIFETIME
        signed = await self._signer.container(container, permissions=_PERMISSIONS, until=until)
        if len(self._signed) >= _MOST_SIGNED:
            # Every run has containers of its own: a daemon would keep a signature for each that ever was.
            self._signed.clear()
        self._signed[container] = (until, signed.reveal())
        return signed.reveal()


def _listed(body: bytes, status: int) -> tuple[list[BlobSnapshot], str]:
    try:
        # The service is ours and has proved it; and expat itself stops what blows itself up.
        root = ET.fromstring(body)  # noqa: S314
        blobs = [_snapshot(element) for element in root.iterfind("Blobs/Blob")]
    except (ET.ParseError, ValueError) as unreadable:
        message = f"the list is not what the API describes: {unreadable}"
        failure = Failure(answer=Answer.REFUSED, status=status, code="UnreadableList", message=message)
        raise AnswerError(failure) from unreadable
    return blobs, root.findtext("NextMarker") or ""


def _snapshot(element: ET.Element) -> BlobSnapshot:
    name = element.find("Name")
    text = (name.text or "") if name is not None else ""
    if name is not None and name.get("Encoded") == "true":  # it has a character that XML can't hold
        text = unquote(text)
    md5 = element.findtext("Properties/Content-MD5")
    # A size of 0 is believed: one that is missing must not pass for it.
    size = int(element.findtext("Properties/Content-Length") or "no size")
    return BlobSnapshot(name=text, size=size, md5=b64decode(md5) if md5 else None)


async def _refused(answer: ClientResponse) -> AnswerError:
    return AnswerError(refusal(answer.status, answer.headers, await answer.read()))


def _told_md5(headers: Mapping[str, str], *, whole: bool) -> bytes | None:
    """The MD5 of the whole blob; of a piece of it the service tells nothing that was not asked for."""
    told = headers.get("x-ms-blob-content-md5") or (headers.get("Content-MD5") if whole else None)
    return b64decode(told) if told else None


async def _runs(data: bytes | memoryview) -> AsyncGenerator[memoryview]:
    view = memoryview(data)
    for offset in range(0, len(view), _RUN):
        yield view[offset : offset + _RUN]
