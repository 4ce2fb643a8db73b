"""Stage: brings the application and the inputs to the account's storage, concurrently, once and checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from orchestrator.accounts.storage import StorageAccount
from orchestrator.errors import StagingError
from orchestrator.events import InputStaged, Publish, StagingCompleted, StagingStarted, utc_now
from orchestrator.limits import Limits
from orchestrator.spec.marks import JOB_KEY, RUN_KEY
from orchestrator.spec.plan import RunPlan
from orchestrator.stages.ledger import Ledger, ResourceKind
from orchestrator.stages.package import FileDigest, PackedApplication, PackedFile, digest_file
from orchestrator.stages.workers import run_workers

Arrival: TypeAlias = tuple[int, str]
"""An input that is in its container: its index in the plan, and its blob."""


class StagingPlaces(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run's files go.

    Args:
        input_container: of this run.
        output_container: of this run.
        application: the packed application, which is its own container's name; None where there is none.
    """

    input_container: str
    output_container: str
    application: PackedApplication | None

    @property
    def containers(self) -> tuple[str, ...]:
        """All of them."""
        own = (self.input_container, self.output_container)
        return (*own, self.application.container) if self.application else own


class _Upload(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    container: str
    index: int
    path: Path | None = None
    packed: PackedFile | None = None


class Staging:
    """Stages the files of one run.

    The application's container is named by its content, so that an earlier run's upload is used again; input
    and output containers belong to this run. Inputs of the same content are uploaded once.

    Args:
        plan: what to stage.
        places: where.
        storage: the account's.
        publish: told of every file.
        limits: `uploads` at once.
    """

    def __init__(
        self,
        *,
        plan: RunPlan,
        places: StagingPlaces,
        storage: StorageAccount,
        publish: Publish,
        limits: Limits,
    ) -> None:
        self._plan = plan
        self._places = places
        self._storage = storage
        self._publish = publish
        self._limits = limits
        self._size = 0
        self._count = len(plan.inputs) + (len(places.application.files) if places.application else 0)
        # By content: the input whose blob has it, and, as long as that goes up, what its likes wait for.
        self._first: dict[str, int] = {}
        self._going_up: dict[str, anyio.Event] = {}

    async def open(self, ledger: Ledger) -> None:
        """Create the containers, each written into the ledger first.

        Raises:
            ServiceError, UnreachableError: storage refused or did not answer.
        """
        metadata = {RUN_KEY: self._plan.run_id, JOB_KEY: self._plan.job_id}
        for container in (self._places.input_container, self._places.output_container):
            await ledger.owe(ResourceKind.CONTAINER, container)
            await self._storage.create_container(container, metadata=metadata)
        if self._places.application is not None:
            await ledger.owe(ResourceKind.APPLICATION, self._places.application.container)
            await self._storage.create_container(self._places.application.container, metadata={})
        await self._publish(
            StagingStarted(run_id=self._plan.run_id, files=self._count, containers=self._places.containers)
        )

    async def bring_application(self) -> None:
        """Bring what is missing of the application.

        Done again once the pool names its container: between the first time and the pool's creation the
        clean-up of another run may have deleted a container that no pool named yet. From then on nobody
        deletes it.

        Raises:
            StagingError: a file could not be read.
            ServiceError, UnreachableError: storage refused or did not answer.
        """
        application = self._places.application
        if application is not None:
            await self._storage.create_container(application.container, metadata={})
            await self._bring_all(
                _Upload(name=packed.name, container=application.container, index=index, packed=packed)
                for index, packed in enumerate(application.files)
            )

    async def bring_inputs(
        self, indexes: Iterable[int], send: MemoryObjectSendStream[Arrival], *, last: bool = True
    ) -> None:
        """Bring inputs, in order, a bounded number at once, and tell of each that has arrived.

        Args:
            indexes: in the plan's `inputs`.
            send: gets each arrival, in whatever order they arrive; its bound is the back-pressure. It is
                closed at the end.
            last: whether staging is complete then.

        Raises:
            StagingError: a file could not be read.
            ServiceError, UnreachableError: storage refused or did not answer.
        """
        with send:  # closed without a pause, so that an error here is known before its consequences there
            inputs = (self._plan.inputs[index] for index in indexes)
            await self._bring_all(
                (
                    _Upload(
                        name=file.name,
                        container=self._places.input_container,
                        index=file.index,
                        path=file.path,
                    )
                    for file in inputs
                ),
                send,
            )
        if last:
            await self._publish(
                StagingCompleted(run_id=self._plan.run_id, files=self._count, size=self._size)
            )

    async def _bring_all(
        self, uploads: Iterator[_Upload], send: MemoryObjectSendStream[Arrival] | None = None
    ) -> None:
        async def work() -> None:
            for upload in uploads:  # shared by all: next() never awaits, so no file is taken twice
                blob = await self._bring(upload)
                if send is not None:
                    await send.send((upload.index, blob))

        await run_workers(self._limits.uploads, work)

    async def _bring(self, upload: _Upload) -> str:
        started = utc_now()
        packed, content = upload.packed, None
        if packed is not None:
            digest = packed.digest
            blob = _blob_name(upload.index, digest)
            there = await self._storage.blob(upload.container, blob)
            reused = there is not None and there.size == digest.size
        else:
            digest, content = await digest_file(_path(upload))
            blob, reused = await self._same_content(upload.index, digest)
        if not reused:
            await self._upload(upload, blob, digest, content)
            self._size += digest.size
        await self._publish(self._staged(upload, blob, digest, started, reused=reused))
        return blob

    async def _same_content(self, index: int, digest: FileDigest) -> tuple[str, bool]:
        """The blob for a content, and whether it is there already (after waiting until it is)."""
        first = self._first.setdefault(digest.sha256, index)
        if first == index:
            self._going_up[digest.sha256] = anyio.Event()
        elif waiting := self._going_up.get(digest.sha256):
            await waiting.wait()
        return _blob_name(first, digest), first != index

    async def _upload(self, upload: _Upload, blob: str, digest: FileDigest, content: bytes | None) -> None:
        packed = upload.packed
        path = packed.path if packed else upload.path
        if packed is not None and path is None:
            content = packed.content
        try:
            if content is not None:
                await self._storage.upload_bytes(upload.container, blob, content, md5=digest.md5)
            elif path is not None:
                await self._storage.upload_file(upload.container, blob, path, md5=digest.md5)
        except OSError as error:
            raise StagingError(f"can't be read: {error.strerror}", path=str(path)) from error
        if packed is None:
            self._going_up.pop(digest.sha256).set()

    def _staged(
        self, upload: _Upload, blob: str, digest: FileDigest, started: datetime, *, reused: bool
    ) -> InputStaged:
        return InputStaged(
            run_id=self._plan.run_id,
            name=upload.name,
            container=upload.container,
            blob=blob,
            size=digest.size,
            md5=digest.md5.hex(),
            started_at=started,
            reused=reused,
        )


def application_blobs(application: PackedApplication) -> tuple[tuple[str, PackedFile], ...]:
    """The blob of each file of a packed application."""
    return tuple((_blob_name(index, packed.digest), packed) for index, packed in enumerate(application.files))


def _path(upload: _Upload) -> Path:
    if upload.path is None:
        raise StagingError("has neither a path nor content", path=upload.name)
    return upload.path


def _blob_name(index: int, digest: FileDigest) -> str:
    # Azurite fails on odd blob names; the true name travels as the resource file's filePath only.
    return f"{index}-{digest.sha256[:24]}"
