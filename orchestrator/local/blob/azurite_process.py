"""One run of the blob server: started, waited for, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from orchestrator.local.blob.install import Azurite
from orchestrator.local.tls.certificates import Certificates

_PRELOADED = tuple(
    Path(__file__).with_name(name) for name in ("watchdog.cjs", "delegation.cjs", "remember.cjs", "disk.cjs")
)
_LISTENS = re.compile(rb"successfully listens on https?://127\.0\.0\.1:(\d+)")
# Azurite closes idle connections after 5 s by itself, under the hands of clients that keep them for longer.
_KEEP_ALIVE = 300
_STOP_LIMIT = 6.0
_ASK_LIMIT = 5.0
_LINE_LIMIT = 1 << 20


class BlobEndpointError(RuntimeError):
    """The blob server did not start, or keeps ending; the message has the last lines that it wrote."""


class AzuriteProcess:
    """A running blob server; make one with `start`."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, lines: deque[str]) -> None:
        self._process = process
        self._lines = lines
        self.port = port

    @classmethod
    async def start(
        cls,
        azurite: Azurite,
        *,
        account: tuple[str, str],
        data_dir: Path,
        port: int,
        limit: float,
        pass_fds: Sequence[int] = (),
        tls: Certificates | None = None,
        oauth: bool = False,
    ) -> Self:
        """Start the server and wait until it answers.

        Args:
            azurite: what to run.
            account: name and base64 key.
            data_dir: exists; what is stored survives in it.
            port: to listen on, 0 for one that the system picks.
            limit: seconds for all of it.
            pass_fds: descriptors that the server keeps open while it lives.
            tls: for https; None for http.
            oauth: let in whoever brings a bearer token; the server checks no signature. Needs `tls`.

        Returns:
            The process.

        Raises:
            BlobEndpointError: if it ends or does not answer within the limit.
        """
        name, key = account
        command = [
            str(azurite.node),
            *(part for script in _PRELOADED for part in ("--require", str(script))),
            str(azurite.script),
            *("--blobPort", str(port), "--blobHost", "127.0.0.1", "--location", str(data_dir)),
            *("--disableTelemetry", "--silent", "--loose", "--skipApiVersionCheck"),
            *("--blobKeepAliveTimeout", str(_KEEP_ALIVE)),
        ]
        if tls is not None:
            command += ["--cert", str(tls.server), "--key", str(tls.server_key)]
        if oauth:
            command += ["--oauth", "basic"]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=data_dir,
            # The key is in the environment, not on the command line, which every user of the machine can
            # read.
            env={"PATH": os.defpath, "AZURITE_ACCOUNTS": f"{name}:{key}", "NODE_DISABLE_COMPILE_CACHE": "1"},
            start_new_session=True,  # Ctrl-C in the service's terminal is the service's to handle
            pass_fds=pass_fds,
            limit=_LINE_LIMIT,
        )
        self = cls(process, port, deque(maxlen=20))
        try:
            async with asyncio.timeout(limit):
                self.port = await self._listening()
                await self._answers(tls)
        except BaseException as error:
            await self.stop()
            if isinstance(error, TimeoutError):
                raise BlobEndpointError(f"the blob server did not answer within {limit:g} s") from error
            raise
        return self

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ended(self) -> int:
        """Wait until the server ends by itself.

        Returns:
            Its exit code, minus the signal's number when one ended it.
        """
        await self._read_to_end()
        return await self._process.wait()

    async def stop(self) -> None:
        """End the server: it writes its data first, and is killed if that takes too long."""
        pipe = self._process.stdin
        if pipe is not None:
            # The watchdog's word for the end. No signal besides: a second one ends Azurite while it writes.
            pipe.close()
        try:
            async with asyncio.timeout(_STOP_LIMIT):
                await self.ended()
        except TimeoutError:
            self._kill()
            await self.ended()
        except asyncio.CancelledError:
            self._kill()
            raise

    def last_words(self) -> str:
        """Give the last lines that it wrote."""
        return "\n".join(self._lines)

    def _kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _listening(self) -> int:
        assert self._process.stdout is not None  # noqa: S101  # for the type: it is a pipe
        async for line in self._process.stdout:
            self._lines.append(line.decode(errors="replace").rstrip())
            if found := _LISTENS.search(line):
                return int(found[1])
        code = await self._process.wait()
        raise BlobEndpointError(f"the blob server ended with {code} before it listened:\n{self.last_words()}")

    async def _read_to_end(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  # for the type: it is a pipe
        # Read on: a full pipe would stop the server.
        async for line in self._process.stdout:
            self._lines.append(line.decode(errors="replace").rstrip())

    async def _answers(self, tls: Certificates | None) -> None:
        """Ask for anything; any answer in HTTP will do."""
        context = None if tls is None else await asyncio.to_thread(tls.client_context)
        async with asyncio.timeout(_ASK_LIMIT):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
            try:
                writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                if not (await reader.readline()).startswith(b"HTTP/1.1 "):
                    raise BlobEndpointError("something that is not the blob server answers on its port")
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
