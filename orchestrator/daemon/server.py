"""The daemon as a process of its own: sockets, signals, and the order of its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import anyio
import msgspec
import structlog
from aiohttp import web

from orchestrator.daemon.api.application import make_application
from orchestrator.daemon.config import DaemonConfig
from orchestrator.daemon.logs import DaemonLogs
from orchestrator.daemon.service import DaemonService
from orchestrator.errors import ConfigError, OrchestratorError, error_text
from orchestrator.prompt_loop import prompt
from orchestrator.version import __version__

log = structlog.get_logger()

ADDRESS_FILE = "address"
"""In the state directory: the URL of the TCP port, which may be one that was free."""

_OWNER_ONLY = 0o177


async def serve(
    config: DaemonConfig, *, environ: Mapping[str, str], reread: Callable[[], DaemonConfig]
) -> None:
    """Be the daemon until a signal ends it.

    The first SIGTERM or SIGINT: take no more runs, let those under way end within `shutdown_grace`; what is
    left then is in the journal, and the next start goes on with it. The second: leave it to the journal now.

    Args:
        config: checked.
        environ: usually `os.environ`.
        reread: reads the configuration again, for SIGHUP.

    Raises:
        OrchestratorError: it could not begin.
    """
    await _Server(config, environ, reread).run()


class _Server:
    def __init__(
        self, config: DaemonConfig, environ: Mapping[str, str], reread: Callable[[], DaemonConfig]
    ) -> None:
        self._config = config
        self._reread = reread
        self._logs = DaemonLogs(config.log_format, config.log_level)
        self._service = DaemonService(config, environ=environ)
        self._ending = asyncio.Event()

    async def run(self) -> None:
        try:
            await self._run()
        finally:
            # Below an init the program ends without what was registered for its end.
            self._logs.flush()

    async def _run(self) -> None:
        service = self._service
        # Before anything is taken up again: a port that is taken must not end the runs of the last time.
        tcp = _tcp_socket(self._config)
        with contextlib.closing(tcp) if tcp is not None else contextlib.nullcontext(), self._signals():
            await service.open()
            _set_aside()
            try:
                async with contextlib.AsyncExitStack() as stack:
                    address = await self._listen(stack, tcp)
                    service.supervisor.ready()
                    log.info(
                        "daemon.ready",
                        version=__version__,
                        address=address,
                        socket=str(self._config.socket_path or ""),
                        state_dir=str(self._config.state),
                    )
                    await self._until_told_or_broken()
                    service.supervisor.stopping()
                    if not await service.drain():
                        self._leave_to_the_journal("the grace is over")
                    service.tell_drained()
            finally:
                await service.close()
        log.info("daemon.ended")

    async def _until_told_or_broken(self) -> None:
        async with anyio.create_task_group() as group:

            async def watch() -> None:
                await self._service.failed.wait()
                # Nothing that was accepted is lost by it, and whoever started the daemon starts it again.
                self._leave_to_the_journal(f"a part of it broke: {self._service.broken}", code=1)

            group.start_soon(watch)
            await self._ending.wait()
            group.cancel_scope.cancel()

    # --- listening ----------------------------------------------------------------------------------------

    async def _listen(self, stack: contextlib.AsyncExitStack, tcp: socket.socket | None) -> str | None:
        limits = self._service.limits
        runner = web.AppRunner(
            make_application(self._service),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=min(limits.shutdown_grace, limits.listener_timeout),
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        listen, state = self._config.listen, self._config.state
        if (path := self._config.socket_path) is not None:
            with prompt():
                await web.SockSite(runner, _unix_socket(path)).start()
            stack.callback(path.unlink, missing_ok=True)
        if tcp is None:
            return None
        with prompt():
            await web.SockSite(runner, tcp).start()
        port = tcp.getsockname()[1]
        host = f"[{listen.host}]" if ":" in listen.host else listen.host
        url = f"http://{host}:{port}"
        (state / ADDRESS_FILE).write_text(f"{url}\n")
        stack.callback((state / ADDRESS_FILE).unlink, missing_ok=True)
        return url

    # --- signals ------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handlers: dict[signal.Signals, Callable[[], None]] = {
            signal.SIGTERM: self._end,
            signal.SIGINT: self._end,
            signal.SIGHUP: self._reload,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _end(self) -> None:
        if self._ending.is_set():
            self._leave_to_the_journal("told twice")
        log.info("daemon.ending")
        self._ending.set()

    def _leave_to_the_journal(self, why: str, *, code: int = 0) -> None:
        """End at once. Everything that matters is on the disk, as it would be after a power cut."""
        log.warning("daemon.left_to_the_journal", why=why, under_way=self._service.under_way)
        for path in (self._config.socket_path, self._config.state / ADDRESS_FILE):
            if path is not None:
                path.unlink(missing_ok=True)
        self._logs.flush()
        os._exit(code)

    def _reload(self) -> None:
        self._service.supervisor.reloading()
        try:
            config = self._reread()
        except OrchestratorError as error:
            log.warning("daemon.not_reloaded", error=error_text(error))
        else:
            told = self._service.reload(msgspec.structs.replace(config, source=self._config.source))
            self._logs.set_level(config.log_level)
            log.info("daemon.reloaded", changes=list(told) or ["nothing changed"])
        self._service.supervisor.ready()


def _set_aside() -> None:
    """Let the collector look no more at what is there for good: the modules, above all those of the SDKs.

    It would keep the loop for a twentieth of a second each time.
    """
    gc.collect()
    gc.freeze()


def _tcp_socket(config: DaemonConfig) -> socket.socket | None:
    """The port, taken but not listened on yet; None where none is wanted.

    Raises:
        ConfigError: it can't be had.
    """
    listen = config.listen
    if not listen.host:
        return None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        taken = socket.socket(family, kind, protocol)
        try:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(address)
        except BaseException:
            taken.close()
            raise
    except (OSError, UnicodeError) as error:  # the second for what is no name at all
        raise ConfigError(
            f"{listen.host}:{listen.port} can't be listened on: {getattr(error, 'strerror', None) or error}",
            where=f"{config.source}: listen",
        ) from error
    return taken


def _unix_socket(path: Path) -> socket.socket:
    """A listening socket that only its owner can connect to, from the first moment on.

    Raises:
        ConfigError: it can't be made there.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigError("is there and is no socket: move it away", where=str(path))
        path.unlink()  # of a daemon that died: the state directory's lock says that none lives
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(_OWNER_ONLY)
    try:
        made.bind(str(path))
    except OSError as error:
        made.close()
        raise ConfigError(f"can't be made: {error.strerror or error}", where=str(path)) from error
    finally:
        os.umask(before)
    return made
