"""The local service for `Orchestrator.local()`: joined where one is named, else started as a child."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import structlog

from orchestrator.accounts.settings import (
    BATCH_ENDPOINT,
    AccountSettings,
    is_loopback,
    parse_connection_string,
    settings_from_environment,
)
from orchestrator.errors import ConfigError, LocalServiceError
from orchestrator.limits import Limits

log = structlog.get_logger()

_TOLD = 4000


def named_service(environ: Mapping[str, str], env_file: Path | None) -> AccountSettings | None:
    """The running local service that the caller names, None where none is named.

    An `env_file` (as `orchestrator local --env-file` writes it) wins over the environment. What the
    environment names counts only if all of it is on this machine, the blobs as well: the account `local`
    never touches Azure.

    Raises:
        ConfigError: the file can't be read, is incomplete, or names something that is not on loopback; or the
            environment names a Batch endpoint on loopback, but the rest can't be right.
    """
    if env_file is not None:
        settings = settings_from_environment(_read_env_file(env_file))
        for elsewhere in _elsewhere(settings):
            raise ConfigError(
                f"names {elsewhere}, which is not on this machine; "
                "use --account azure for an account in Azure",
                where=str(env_file),
            )
        return settings
    # Looked at first and alone, since the settings of an account in Azure are nobody's mistake here.
    if not _names_loopback(environ.get(BATCH_ENDPOINT, "").strip()):
        return None
    settings = settings_from_environment(environ)
    return None if _elsewhere(settings) else settings


async def must_answer(settings: AccountSettings, *, named_by: str, limits: Limits) -> None:
    """Make sure that a named service runs, before anything is asked of it again and again.

    Args:
        settings: of a service on this machine.
        named_by: the file that names it, or the environment, for the message.
        limits: for `operation_timeout`.

    Raises:
        LocalServiceError: nothing listens at one of its addresses.
    """
    for address in _addresses(settings):
        parts = urlsplit(address)
        try:
            with anyio.fail_after(limits.operation_timeout):
                await reach(address)
        except OSError as error:  # a TimeoutError too
            raise LocalServiceError(
                f"nothing answers at {parts.scheme}://{parts.netloc}, which {named_by} names: the local "
                "service has ended, or moved to other ports; start `orchestrator local` again, or name "
                "its new settings"
            ) from error


async def reach(address: str) -> None:
    """Connect to an address, and leave it at that; the caller has a limit for it.

    Args:
        address: a URL.

    Raises:
        OSError: nothing listens there.
    """
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    stream = await anyio.connect_tcp(parts.hostname or "", port)
    await stream.aclose()


class EmbeddedService:
    """A local service of our own, in a child process that ends when this process ends, however that happens.

    The child holds the reading end of a pipe whose only writer is this process: when it closes, the child
    stops. Keys reach this process through a file of mode 0600 in a folder of the same life.

    Args:
        state_dir: of the service; a temporary folder by default, which is deleted at the end.
        limits: for `service_start_timeout` and `service_stop_timeout`.
    """

    def __init__(self, state_dir: Path | None, *, limits: Limits) -> None:
        self._state_dir = state_dir
        self._limits = limits
        self._folder: Path | None = None
        self._lock = -1
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> AccountSettings:
        """Start the service and wait until both endpoints answer.

        Raises:
            LocalServiceError: it did not start; the message has its last lines.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="orchestrator-local-"))
        self._lock = _hold(self._folder / "lock")
        env_file = self._folder / "settings.env"
        log_file = self._folder / "service.log"
        state_dir = self._state_dir or self._folder / "state"
        with log_file.open("wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "orchestrator",
                "local",
                "--until-stdin-closes",
                "--state-dir",
                str(state_dir),
                "--env-file",
                str(env_file),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                # Ctrl-C goes to the whole foreground group; the service must outlive it, for the clean-up.
                start_new_session=True,
                env=_child_environment(os.environ),
            )
        try:
            with anyio.fail_after(self._limits.service_start_timeout):
                await self._wait_until_ready(log_file)
        except TimeoutError:
            await self.stop()
            limit = self._limits.service_start_timeout
            raise LocalServiceError(f"the local service did not answer in {limit:g} s") from None
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.stop()
            raise
        settings = settings_from_environment(_read_env_file(env_file))
        log.info("local_service.started", endpoint=settings.batch_endpoint, pid=self._process.pid)
        return settings

    async def stop(self) -> None:
        """End the service and everything it started, and delete its temporary folder."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            if process.stdin is not None:
                process.stdin.close()
            with anyio.move_on_after(self._limits.service_stop_timeout) as limit:
                await process.wait()
            if limit.cancelled_caught:
                log.warning("local_service.killed", pid=process.pid)
                process.send_signal(signal.SIGKILL)
                await process.wait()
        if self._folder is not None:
            folder, self._folder = self._folder, None
            await anyio.to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))
            os.close(self._lock)

    async def _wait_until_ready(self, log_file: Path) -> None:
        process = self._process
        if process is None or process.stdout is None:
            raise LocalServiceError
        while True:
            line = await process.stdout.readline()
            if not line:
                code = await process.wait()
                told = await anyio.to_thread.run_sync(_last_lines, log_file)
                raise LocalServiceError(f"the local service ended with exit code {code}: {told}")
            if line.strip() == b"ready":
                return


def _hold(path: Path) -> int:
    """Lock a file for as long as this process lives: the folder of one that was killed is free to remove."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _last_lines(log_file: Path) -> str:
    return log_file.read_bytes()[-_TOLD:].decode(errors="replace").strip()


def _child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The child makes its own keys, and must not inherit an account's; nor does our supervisor watch it."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(("AZURE_", "WATCHDOG_")) and name != "NOTIFY_SOCKET"
    }


def _read_env_file(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't be read: {error}", where=str(path)) from error
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def _names_loopback(endpoint: str) -> bool:
    try:
        return is_loopback(endpoint if "://" in endpoint else f"https://{endpoint}")
    except ValueError:
        return False  # no address at all


def _elsewhere(settings: AccountSettings) -> tuple[str, ...]:
    """Those addresses of an account that are not on this machine."""
    return tuple(address for address in _addresses(settings) if not is_loopback(address))


def _addresses(settings: AccountSettings) -> tuple[str, str]:
    if settings.storage_connection_string is not None:
        blobs = parse_connection_string(settings.storage_connection_string.reveal()).blob_endpoint
    else:
        blobs = settings.storage_blob_endpoint or ""
    return settings.batch_endpoint, blobs
