"""The local service: a Batch endpoint and a blob endpoint on loopback, started and stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import threading
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import structlog

from orchestrator.local.batch.autoscaling import REAL_PACE, AutoscalePace
from orchestrator.local.batch.delays import Pace, Profile
from orchestrator.local.batch.endpoint import BatchEndpoint
from orchestrator.local.batch.isolation import check_isolation, open_way
from orchestrator.local.batch.node import NodeProcess
from orchestrator.local.batch.quotas import Quotas
from orchestrator.local.batch.versions import Casing
from orchestrator.local.blob.endpoint import BlobEndpoint
from orchestrator.local.faults.control import Control
from orchestrator.local.faults.interference import FaultInterference
from orchestrator.local.faults.lab import FaultLab
from orchestrator.local.faults.rule import Script
from orchestrator.local.node_agent import processes
from orchestrator.local.ports import Ports
from orchestrator.local.settings import LocalSettings
from orchestrator.local.state import StateDirectory
from orchestrator.local.temporary import PREFIX, remove_abandoned
from orchestrator.local.tls.certificates import Certificates, ensure_certificates

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
        batch_port: 0 for the one that the state directory's last service had, or one that the system picks.
        blob_port: as well.
        casing: of the words that the real service and the SDK write differently.
        tls: speak https, with certificates of an authority of the state directory's own.
        blob_oauth: let in whoever brings a bearer token for blobs, as user delegation needs it. The blob
            server checks no token: every program of this machine can then read and write every blob.
            Needs `tls`.
        isolate_users: run tasks that are no administrators' as users of their own. Needs root.
        profile: whose pace it keeps.
        time_scale: factor of the profile's delays.
        faults: what goes wrong from the beginning; `service.faults` changes it.
        pool_quota: pools that there may be; None for any number.
        job_quota: jobs and job schedules that there may be without the completed ones; None for any number.
        autoscale_pace: how often formulas run at most, and how often what they see is sampled.

    Raises:
        ValueError: with `blob_oauth` and without `tls`, or with a negative `time_scale`.
        FaultScriptError: if `faults` makes no sense.
        OSError: if the file of `faults` can't be read.
    """

    def __init__(
        self,
        *,
        state_dir: Path | None = None,
        batch_port: int = 0,
        blob_port: int = 0,
        casing: Casing = Casing.LIVE,
        tls: bool = False,
        blob_oauth: bool = False,
        isolate_users: bool = False,
        profile: Profile = Profile.INSTANT,
        time_scale: float = 1.0,
        faults: Script | Path | None = None,
        pool_quota: int | None = None,
        job_quota: int | None = None,
        autoscale_pace: AutoscalePace = REAL_PACE,
    ) -> None:
        if blob_oauth and not tls:
            raise ValueError("bearer tokens for blobs need https: no client sends one otherwise")
        self._state_dir = state_dir
        self._batch_port = batch_port
        self._blob_port = blob_port
        self._casing = casing
        self._tls = tls
        self._blob_oauth = blob_oauth
        self._isolate_users = isolate_users
        self._pace = Pace(profile.delays, time_scale)
        self._quotas = Quotas(pools=pool_quota, active_jobs=job_quota)
        self._autoscale_pace = autoscale_pace
        self.faults = FaultLab(faults)
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
            StateFileError: if what is kept in it can't be read.
            NodeMissingError: if there is no Node.js for the blob server.
            AzuriteInstallError: if npm can't install the blob server.
            BlobEndpointError: if the blob server does not start.
            CertificatesMissingError: if there is no package that makes certificates.
            IsolationError: if tasks can't have users of their own.
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
        if self._isolate_users:
            await asyncio.to_thread(check_isolation, state.path)
            await asyncio.to_thread(open_way, state.path, state.batch_data)
        certificates = await self._certify(state)
        ports = Ports(batch=self._batch_port, blob=self._blob_port)
        if self._state_dir is not None:
            ports = await asyncio.to_thread(Ports.choose, ports, state.path / "ports.json")
        blob = BlobEndpoint(
            account_name=ACCOUNT_NAME,
            account_key=state.keys.storage,
            data_dir=state.blob_data,
            port=ports.blob,
            pass_fds=(state.lock_descriptor,),
            tls=certificates,
            oauth=self._blob_oauth,
        )
        batch = BatchEndpoint(
            account_name=ACCOUNT_NAME,
            account_key=state.keys.batch,
            data_dir=state.batch_data,
            port=ports.batch,
            start_node=partial(
                NodeProcess.start,
                isolate_users=self._isolate_users,
                trust={} if certificates is None else certificates.as_environment(),
            ),
            tls=None if certificates is None else await asyncio.to_thread(certificates.server_context),
            # What is removed at the end need not be written down.
            state_file=None if self._state_dir is None else state.batch_data / "state.sqlite",
            casing=self._casing,
            delays=self._pace,
            quotas=self._quotas,
            autoscale_pace=self._autoscale_pace,
            interference=FaultInterference(self.faults),
            mount=Control(self.faults, self._pace, state.keys.control).mount,
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
        if self._state_dir is not None:
            ports = Ports(batch=urlsplit(batch.url).port or 0, blob=urlsplit(blob.url).port or 0)
            await asyncio.to_thread(ports.remember, state.path / "ports.json")
        self._settings = LocalSettings(
            account_name=ACCOUNT_NAME,
            batch_endpoint=batch.url,
            batch_key=state.keys.batch,
            blob_endpoint=blob.url,
            storage_connection_string=blob.connection_string,
            ca_file=None if certificates is None else certificates.authority,
            control_key=state.keys.control,
        )
        _log.info("local.started", batch=batch.url, blob=blob.url, state=str(state.path))

    async def _certify(self, state: StateDirectory) -> Certificates | None:
        if not self._tls:
            return None
        return await asyncio.to_thread(ensure_certificates, state.tls, account_name=ACCOUNT_NAME)

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
            remove_abandoned()
            folder = self._folder or Path(tempfile.mkdtemp(prefix=PREFIX))
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
