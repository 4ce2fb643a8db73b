"""Asks a daemon: its address and token found, its refusals as our errors, its events as values."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final
from urllib.parse import quote

import aiohttp
import anyio
import msgspec
import platformdirs
import typer

from orchestrator.errors import ConfigError, DaemonError, UnreachableError

DaemonUrl = Annotated[
    str | None,
    typer.Option(
        "--daemon",
        metavar="URL",
        help="Address of the daemon, or path of its socket; the default socket without one.",
        show_default=False,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Holds the token; beside the default socket without one.", show_default=False
    ),
]
_IN_THE_SHELL: Final = MappingProxyType(
    {
        "GET /v1/runs lists them": "`orchestrator list` shows them",
        "GET /v1/runs/{id}/tasks lists them": "`orchestrator show RUN --tasks` shows them",
        "see /openapi.json": "",
    }
)
"""What the daemon advises programs to do, in the words of the command line."""

_CHUNK = 64 * 1024
_PIECE_TIMEOUT = 60.0
_LOOK_AGAIN = 0.1


Wait = Annotated[
    float,
    typer.Option(
        "--wait", min=0, metavar="SECONDS", help="How long to wait for a daemon that is about to be ready."
    ),
]


class StreamedEvent(msgspec.Struct, frozen=True):
    """One event of a stream, as it came."""

    number: int
    name: str
    body: bytes


class DaemonClient:
    """One daemon. Used as an async context manager.

    Args:
        url: `http://...`, or the path of a Unix socket; the default state directory's by default.
        token_file: holds the token; `write.token` beside the socket by default.

    Raises:
        ConfigError: there is no daemon's state directory, or no token.
    """

    def __init__(self, url: str | None, token_file: Path | None) -> None:
        url = url or os.environ.get("ORCHESTRATOR_DAEMON")
        default = Path(platformdirs.user_state_dir("orchestrator")) / "daemon"
        over_tcp = url is not None and url.startswith(("http://", "https://"))
        self._socket = None if over_tcp else Path(url or default / "daemon.sock")
        self._base = url.rstrip("/") if over_tcp and url else "http://localhost"
        folder = default if self._socket is None else self._socket.parent
        self._token = _token(token_file, folder)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> DaemonClient:
        connector = aiohttp.UnixConnector(str(self._socket)) if self._socket is not None else None
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=aiohttp.ClientTimeout(total=None, sock_read=_PIECE_TIMEOUT),
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        """One request and its JSON; None for an answer without any.

        Raises:
            DaemonError: the daemon refused.
            UnreachableError: nothing answers there.
        """
        async with self._open(method, path, **options) as response:
            body = await response.read()
            return msgspec.json.decode(body) if body else None

    async def pieces(self, path: str, **options: Any) -> AsyncIterator[bytes]:
        """An answer as it comes.

        Raises:
            DaemonError: the daemon refused.
            UnreachableError: nothing answers there, or it broke off.
        """
        async with self._open("GET", path, **options) as response:
            async for piece in response.content.iter_chunked(_CHUNK):
                yield piece

    async def events(self, path: str, *, after: int = 0) -> AsyncIterator[StreamedEvent]:
        """The events of a stream, until it ends.

        Raises:
            DaemonError: the daemon refused.
            UnreachableError: nothing answers there, or it broke off.
        """
        buffer = b""
        async with self._open("GET", path, headers={"Last-Event-ID": str(after)}) as response:
            async for piece in response.content.iter_any():
                buffer += piece
                *frames, buffer = buffer.split(b"\n\n")
                for frame in frames:
                    fields = dict(line.split(b": ", 1) for line in frame.split(b"\n") if b": " in line[1:])
                    if b"id" in fields:
                        yield StreamedEvent(int(fields[b"id"]), fields[b"event"].decode(), fields[b"data"])

    @asynccontextmanager
    async def _open(self, method: str, path: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            raise RuntimeError("used outside of its block")
        where = str(self._socket or self._base)
        try:
            async with self._session.request(method, f"{self._base}{path}", **options) as response:
                if response.status >= 400:  # noqa: PLR2004 - HTTP's
                    raise _refusal(response.status, await response.read())
                yield response
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise UnreachableError(
                f"{_why(error)}; is the daemon running? `orchestrator daemon` starts one, --daemon names one",
                operation=f"asking the daemon at {where}",
            ) from error


def run_path(run: str, *rest: str) -> str:
    """The path of a run, or of something of it, whatever characters its id has.

    Args:
        run: its id, as somebody typed it.
        rest: what follows, part by part.

    Raises:
        DaemonError: no run can be called that.
    """
    # As a part of a path it would name something else: DELETE of a run's path must mean that run.
    if not run.strip("."):
        raise DaemonError(f"there is no run {run!r}", status=404, remedy="`orchestrator list` shows them")
    return "/".join(("/v1/runs", *(quote(part, safe="") for part in (run, *rest))))


async def wait_until_ready(url: str | None, token_file: Path | None, *, seconds: float) -> None:
    """Wait for a daemon that has been started and may not answer yet.

    Args:
        url: as `DaemonClient` takes it.
        token_file: as well.
        seconds: how long at most; 0 looks once.

    Raises:
        ConfigError: there is no daemon's state directory, or no token.
        DaemonError: it answers, and is not ready.
        UnreachableError: nothing answers there.
    """
    deadline = anyio.current_time() + seconds
    while True:
        try:
            async with DaemonClient(url, token_file) as client:
                await client.ask("GET", "/readyz")
        except (ConfigError, DaemonError, UnreachableError):
            if anyio.current_time() >= deadline:
                raise
            await anyio.sleep(_LOOK_AGAIN)
        else:
            return


def _why(error: BaseException) -> str:
    """What went wrong, in the system's words where it is the system that says it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _token(file: Path | None, folder: Path) -> str:
    path = file or folder / "write.token"
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(
            f"can't be read ({error.strerror}): start `orchestrator daemon` first, or "
            "name the file with --token-file",
            where=str(path),
        ) from error


def _refusal(status: int, body: bytes) -> DaemonError:
    try:
        problem = msgspec.json.decode(body, type=dict[str, Any])
        return DaemonError(
            str(problem["detail"]),
            status=status,
            remedy=_IN_THE_SHELL.get(remedy := str(problem.get("remedy", "")), remedy),
            where=str(problem.get("where", "")),
        )
    except (msgspec.MsgspecError, KeyError):
        return DaemonError(f"it answered {status}, and no more", status=status)
