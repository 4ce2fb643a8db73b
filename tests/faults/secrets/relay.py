"""Stands between everybody and the blobs: notes what opens them, and answers badly now and then.

Its refusals quote the whole address that was asked for, signature included, as services do.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
import struct
from typing import Final, Self

_SIGNATURE: Final = re.compile(rb"[?&]sig=([^&\s]+)")
_AUTHORIZATION: Final = re.compile(rb"(?i)\r\nauthorization: *(?:SharedKey [^:\r]+:|Bearer )([^\r]+)")
_POLICY: Final = re.compile(rb"[?&](?:si|sp)=([^&\s]+)")
_HEAD: Final = re.compile(rb"^(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP/1\.1\r\n")
_ALL_AT_ONCE: Final = 1024 * 1024
GARBLED: Final = 2
_RESET: Final = struct.pack("ii", 1, 0)


class BlobRelay:
    """A relay on a port of its own.

    Args:
        port: of the blobs' endpoint on this machine.
        seed: of the chances.

    Attributes:
        signatures: that came in addresses, as they came.
        authorizations: that came in heads.
        opened: permissions and policies that the signatures named.
        refuse: the status of every answer to who comes with a signed address, `GARBLED` for one that is no
            HTTP, 0 for those of the blobs with a fault now and then.
        faults: how many answers were the relay's own.
    """

    def __init__(self, port: int, *, seed: int) -> None:
        self._target = port
        self._rng = random.Random(seed)
        self._server: asyncio.Server | None = None
        self.signatures: set[str] = set()
        self.authorizations: set[str] = set()
        self.opened: set[str] = set()
        self.refuse = 0
        self.faults = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_ALL_AT_ONCE)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            upstream, onward = await asyncio.open_connection("127.0.0.1", self._target, limit=_ALL_AT_ONCE)
            back = asyncio.create_task(_copy(upstream, writer))
            try:
                await self._forward(reader, onward, writer)
            finally:
                onward.close()
                await asyncio.wait([back], timeout=1)
                back.cancel()
        writer.close()

    async def _forward(
        self, reader: asyncio.StreamReader, onward: asyncio.StreamWriter, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(_ALL_AT_ONCE):
            self._note(data)
            head = _HEAD.match(data)
            if head is not None and (status := self._fault(head[2])):
                self.faults += 1
                if status == 1:
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                else:
                    writer.write(_refusal(status, head[1], head[2].decode()))
                    await writer.drain()
                return
            onward.write(data)
            await onward.drain()

    def _note(self, data: bytes) -> None:
        self.signatures.update(found.decode() for found in _SIGNATURE.findall(data))
        self.authorizations.update(found.decode() for found in _AUTHORIZATION.findall(data))
        self.opened.update(found.decode() for found in _POLICY.findall(data))

    def _fault(self, target: bytes) -> int:
        """What becomes of a request: 0 nothing, 1 a reset, else how it is refused."""
        if self.refuse:
            return self.refuse if b"sig=" in target else 0
        chance = self._rng.random()
        return 503 if chance < 0.08 else 1 if chance < 0.12 else 0


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_ALL_AT_ONCE):
            writer.write(data)
            await writer.drain()


def _refusal(status: int, method: bytes, target: str) -> bytes:
    if status == GARBLED:
        return f"HTTP/1.1 the answer to {target} is not\r\n\r\n".encode()
    code = "ServerBusy" if status == 503 else "AuthenticationFailed"
    address = f"http://127.0.0.1{target}".replace("&", "&amp;")
    message = f"The request for {address} was not served; the signature of {address} did not match."
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    head = (
        f"HTTP/1.1 {status} {code} {target}\r\nContent-Type: application/xml\r\nx-ms-error-code: {code}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if method == b"HEAD" else body)
