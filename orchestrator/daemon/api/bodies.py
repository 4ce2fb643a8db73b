"""A job in a request's body: as JSON, as TOML, or with its input files as a form."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec
from aiohttp import BadContentDispositionHeader, BadContentDispositionParam, BodyPartReader, web

from orchestrator.daemon import refusals
from orchestrator.daemon.acceptance import Wish, discard
from orchestrator.daemon.config import DaemonLimits
from orchestrator.daemon.confinement import safe_parts
from orchestrator.daemon.service import DaemonService

JSON, TOML, FORM = "application/json", "application/toml", "multipart/form-data"
_CHUNK = 256 * 1024
_LONGEST_NAME = 4096
_WARNINGS = (BadContentDispositionHeader, BadContentDispositionParam)
"""They are raised where the program runs with warnings as errors; elsewhere the part has no name."""


class JsonBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A job as plain values, as a job file in JSON has them."""

    job: dict[str, Any]


_JSON_BODY: Final = msgspec.json.Decoder(JsonBody)


async def read_wish(request: web.Request, service: DaemonService) -> Wish:
    """What a request asks for; its files, if it brings any, are in a folder of their own.

    Raises:
        DaemonError: it can't be read, or is too large.
    """
    content_type = request.content_type
    if content_type == FORM:
        return await _Form(request, service).read()
    if content_type not in {JSON, TOML}:
        raise refusals.unsupported(content_type)
    body = await _body(request, service.limits.body_bytes)
    document: bytes | Mapping[str, Any] = body
    if content_type == JSON:
        try:
            document = _JSON_BODY.decode(body).job
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise refusals.wrong_request(f"the body is no JSON of a job: {error}") from error
    where = "job" if content_type == JSON else "job.toml"
    digest = hashlib.sha256(content_type.encode() + b"\0" + body).hexdigest()
    return Wish(document=document, where=where, body_hash=digest)


async def _body(request: web.Request, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.content.iter_chunked(_CHUNK):
        size += len(piece)
        if size > limit:
            raise refusals.too_large("the body", limit)
        pieces.append(piece)
    return b"".join(pieces)


class _Form:
    """A form: `job` is the job file, `base` its folder, and each `file` is named by its path."""

    def __init__(self, request: web.Request, service: DaemonService) -> None:
        self._request = request
        self._limits: DaemonLimits = service.limits
        self._folder = service.uploads / uuid.uuid4().hex
        self._digest = hashlib.sha256(b"form")
        self._document: bytes | None = None
        self._where = "job.toml"
        self._base: tuple[str, ...] = ()
        self._files = 0
        self._bytes = 0

    async def read(self) -> Wish:
        try:
            await anyio.to_thread.run_sync(lambda: self._folder.mkdir(mode=0o700))
            await self._parts()
            document = self._job_file()
            base = self._folder.joinpath(*self._base)
            await anyio.to_thread.run_sync(lambda: base.mkdir(parents=True, exist_ok=True))
        except BaseException:
            with anyio.CancelScope(shield=True):
                await discard(self._folder)
            raise
        return Wish(
            document=document,
            where=self._where,
            body_hash=self._digest.hexdigest(),
            folder=self._folder,
            base=base,
        )

    def _job_file(self) -> bytes:
        if self._document is None:
            raise refusals.wrong_request("the form has no part `job`")
        return self._document

    async def _parts(self) -> None:
        try:
            reader = await self._request.multipart()
            while (part := await reader.next()) is not None:
                if not isinstance(part, BodyPartReader):
                    raise refusals.wrong_request("a part of the form is a form itself")
                await self._part(part)
        except (ValueError, AssertionError, *_WARNINGS) as error:  # how aiohttp tells of a form that is none
            raise refusals.wrong_request(f"the form can't be read: {error}") from error

    async def _part(self, part: BodyPartReader) -> None:
        match part.name:
            case "job":
                self._document = await self._small(part, self._limits.body_bytes)
                self._where = "job.json" if (part.filename or "").endswith(".json") else "job.toml"
                self._note("job", self._where, self._document)
            case "base":
                text = (await self._small(part, _LONGEST_NAME)).decode("utf-8", "replace")
                self._base = () if text in {"", "."} else self._safe(text)
                self._note("base", text, b"")
            case "file":
                await self._file(part)
            case _:
                raise refusals.wrong_request(f"the form has a part {part.name!r}")

    async def _small(self, part: BodyPartReader, limit: int) -> bytes:
        body = bytearray()
        while piece := await part.read_chunk(_CHUNK):
            body += piece
            if len(body) > limit:
                raise refusals.too_large(f"the part {part.name}", limit)
        return bytes(body)

    async def _file(self, part: BodyPartReader) -> None:
        name = part.filename or ""
        path = self._folder.joinpath(*self._safe(name))
        self._files += 1
        if self._files > self._limits.upload_files:
            raise refusals.too_large("the form", self._limits.upload_files)
        content = hashlib.sha256()
        try:
            await anyio.to_thread.run_sync(lambda: path.parent.mkdir(parents=True, exist_ok=True))
            async with await anyio.open_file(path, "xb") as file:
                while piece := await part.read_chunk(_CHUNK):
                    self._bytes += len(piece)
                    if self._bytes > self._limits.upload_bytes:
                        raise refusals.too_large("the form", self._limits.upload_bytes)
                    content.update(piece)
                    await file.write(piece)
        except (FileExistsError, NotADirectoryError) as error:
            raise refusals.wrong_request(f"two files of the form would both be {name!r}") from error
        except OSError as error:
            raise refusals.wrong_request(f"{name!r} can't be kept: {error.strerror}") from error
        self._note("file", name, content.digest())

    def _safe(self, name: str) -> tuple[str, ...]:
        parts = safe_parts(name)
        if parts is None or len(name) > _LONGEST_NAME:
            raise refusals.wrong_request(
                f"{name[:100]!r} is no relative path with forward slashes",
                remedy="name files inside the form",
            )
        return parts

    def _note(self, kind: str, name: str, content: bytes) -> None:
        """Take a part into the hash, each field with its length, so that no two forms give the same."""
        for field in (kind.encode(), name.encode("utf-8", "surrogateescape"), content):
            self._digest.update(len(field).to_bytes(8, "big") + field)
