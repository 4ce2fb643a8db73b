"""The local service: a Batch endpoint and a blob endpoint on loopback, started and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from orchestrator.local.batch.endpoint import BatchEndpoint
from orchestrator.local.batch.node import NodeProcess
from orchestrator.local.blob.endpoint import BlobEndpoint
from orchestrator.local.node_agent import processes
from orchestrator.local.settings import LocalSettings
from orchestrator.local.state import StateDirectory

_log = structlog.get_logger("orchestrator.local")

ACCOUNT_NAME = "local"
"""Of the Batch account and of the storage account."""


class LocalService:
    """An Azure Batch and a blob storage of one's own, in this process; an async context manager.

    One task of its own owns everything and ends it, whatever happens to the tasks that enter and leave:
    they may be different ones, and may be cancelled, which breaks off their wait but not the end itself.

    Args:
        state_dir: where pools, jobs, tasks and blobs are kept and survive; None for a temporary folder
            that is removed at the end.
        batch_port: 0 for one that the system picks.
        blob_port: as well.
    """

    def __init__(self, *, state_dir: Path | None = None, batch_port: int = 0, blob_port: int = 0) -> None:
        self._state_dir = state_dir
        self._batch_port = batch_port
        self._blob_port = blob_port
        self._settings: LocalSettings | None = None
        self._owner: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._stop = asyncio.Event()

    @property
    def settings(self) -> LocalSettings:
        """What a client needs to reach it.

        Raises:
            RuntimeError: if the service is not running.
        """
        if self._settings is None:
            raise RuntimeError("the local service is not running: enter it with `async with` first")
        return self._settings

    async def __aenter__(self) -> Self:
        """Start both endpoints and wait until they answer.

        Raises:
            StateDirectoryInUseError: if another service uses the state directory.
            NodeMissingError: if there is no Node.js for the blob server.
            AzuriteInstallError: if npm can't install the blob server.
            BlobEndpointError: if the blob server does not start.
            OSError: if a port is taken or a folder can't be made.
            RuntimeError: if it was entered before.
        """
        if self._owner is not None:
            raise RuntimeError("a LocalService runs once: make another one")
        self._owner = asyncio.create_task(self._own(), name="local service")
        ready = asyncio.create_task(self._ready.wait(), name="local service ready")
        try:
            await asyncio.wait({self._owner, ready}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self._finish()
            raise
        finally:
            ready.cancel()
        if self._owner.done():
            self._owner.result()  # raises what kept it from starting
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop both endpoints; when this returns no process, socket or temporary file is left."""
        await self._finish()

    async def _finish(self) -> None:
        if self._owner is None:
            return
        self._stop.set()
        if not self._ready.is_set():
            self._owner.cancel()
        await asyncio.wait({self._owner})  # if this wait is cancelled, the owner still goes on
        if not self._owner.cancelled():
            self._owner.result()

    async def _own(self) -> None:
        """Hold everything from the first file to the last; nothing else ends anything."""
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            self._ready.set()
            await self._stop.wait()
            self._settings = None

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        state = await self._hold_state(stack)
        blob = BlobEndpoint(
            account_name=ACCOUNT_NAME,
            account_key=state.keys.storage,
            data_dir=state.blob_data,
            port=self._blob_port,
            pass_fds=(state.lock_descriptor,),
        )
        batch = BatchEndpoint(
            account_name=ACCOUNT_NAME,
            account_key=state.keys.batch,
            data_dir=state.batch_data,
            port=self._batch_port,
            start_node=NodeProcess.start,
        )
        # Tasks use blobs to the last: the Batch endpoint, pushed later, ends first.
        stack.push_async_callback(blob.close)
        stack.push_async_callback(batch.close)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(blob.start())
                group.create_task(batch.start())
        except ExceptionGroup as both:
            # The one that failed first; the other was cancelled, or failed as well.
            raise both.exceptions[0] from None
        self._settings = LocalSettings(
            account_name=ACCOUNT_NAME,
            batch_endpoint=batch.url,
            batch_key=state.keys.batch,
            blob_endpoint=blob.url,
            storage_connection_string=blob.connection_string,
        )
        _log.info("local.started", batch=batch.url, blob=blob.url, state=str(state.path))

    async def _hold_state(self, stack: contextlib.AsyncExitStack) -> StateDirectory:
        hold = _Hold(self._state_dir)
        # Before it is opened: the thread can't be stopped, so whoever comes second, it or the end, closes.
        stack.push_async_callback(asyncio.to_thread, hold.drop)
        return await asyncio.to_thread(hold.open)


class _Hold:
    """A state directory that a thread opens while its owner may already be giving up.

    Args:
        folder: None for a temporary one.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._state: StateDirectory | None = None
        self._dropped = False

    def open(self) -> StateDirectory:
        """Open it, unless it was dropped meanwhile; blocks.

        Raises:
            StateDirectoryInUseError: if another service uses it.
            OSError: if it can't be made.
        """
        with self._guard:
            if self._dropped:
                raise RuntimeError("the local service was stopped before it started")
            folder = self._folder or Path(tempfile.mkdtemp(prefix="orchestrator-local-"))
            try:
                self._state = StateDirectory.open(folder)
            except BaseException:
                self._remove(folder)
                raise
            # An earlier service and its nodes may all have been killed: nobody was left to end their tasks.
            mark = processes.marker_below("AZ_BATCH_NODE_ROOT_DIR", self._state.batch_data)
            processes.kill_everywhere(mark, ())
            return self._state

    def drop(self) -> None:
        """Remove it if it is temporary, and let it go; waits for an `open` under way. Blocks."""
        with self._guard:
            self._dropped = True
            state, self._state = self._state, None
            if state is not None:
                self._remove(state.path)
                state.close()
                _log.info("local.stopped", state=str(state.path))

    def _remove(self, folder: Path) -> None:
        if self._folder is None:
            shutil.rmtree(folder, ignore_errors=True)
