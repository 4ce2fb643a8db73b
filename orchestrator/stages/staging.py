"""Stage: brings the application and the inputs to the account's storage, concurrently, once and checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeAlias

import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from orchestrator.accounts.storage import StorageAccount
from orchestrator.events import InputStaged, Publish, StagingCompleted, StagingStarted, utc_now
from orchestrator.file_threads import FileThreads
from orchestrator.limits import Limits
from orchestrator.spec.marks import (
    APPLICATION_KEY,
    EXPIRES_KEY,
    as_mark,
    expiry,
    ownership_marks,
    released,
    renewed,
)
from orchestrator.spec.plan import InputFile, RunPlan
from orchestrator.stages.contents import Contents, Place, small_name
from orchestrator.stages.ledger import Ledger, ResourceKind
from orchestrator.stages.package import PackedApplication, PackedFile
from orchestrator.stages.reading import InputReader, Read, refuse_changed
from orchestrator.stages.workers import run_all, run_workers

Arrival: TypeAlias = tuple[int, str]
"""An input that is in its container: its index in the plan, and its blob."""

_LARGE: Final = 4 * 1024 * 1024
"""Past this size an input is read once, while it goes up."""


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


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier program of this run had told as staged before it died.

    Args:
        inputs: by index, the blob of each input.
        application: the application's blobs.
        started: whether the containers were told.
        completed: whether all files were told.
    """

    inputs: Mapping[int, str] = msgspec.field(default_factory=dict)
    application: Collection[str] = ()
    started: bool = False
    completed: bool = False


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
        before: what need not be told again; None for a run that begins.
    """

    def __init__(
        self,
        *,
        plan: RunPlan,
        places: StagingPlaces,
        storage: StorageAccount,
        publish: Publish,
        limits: Limits,
        before: Staged | None = None,
    ) -> None:
        self._plan = plan
        self._resumed = before is not None
        self._before = before or Staged()
        self._told = set(self._before.application)
        self._places = places
        self._storage = storage
        self._publish = publish
        self._limits = limits
        self._marks: dict[str, str] = {}
        self._size = 0
        self._count = len(plan.inputs) + (len(places.application.files) if places.application else 0)
        self._contents = Contents()
        self._threads = FileThreads(limits.uploads)

    async def open(self, ledger: Ledger) -> None:
        """Create the containers, each written into the ledger first.

        Raises:
            ServiceError, UnreachableError: storage refused or did not answer.
        """
        self._marks = metadata = ownership_marks(
            run_id=self._plan.run_id,
            job_id=self._plan.job_id,
            owner=await ledger.owner(),
            until=self._expiry(),
        )
        own = (self._places.input_container, self._places.output_container)
        for container in own:
            await ledger.owe(ResourceKind.CONTAINER, container)
        create = partial(self._storage.create_container, metadata=metadata)
        await run_all(*(partial(create, container) for container in own))
        if self._places.application is not None:
            await ledger.owe(ResourceKind.APPLICATION, self._places.application.container)
            await self._open_application(self._places.application.container)
        if self._resumed:
            # An upload may have come to its end without having been written down.
            async for blob in self._storage.list_blobs(self._places.input_container, ""):
                self._contents.found(blob)
        if not self._before.started:
            await self._publish(
                StagingStarted(
                    run_id=self._plan.run_id, files=self._count, containers=self._places.containers
                )
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
            await self._open_application(application.container)
            files = iter(application_blobs(application))

            async def work() -> None:
                for blob, packed in files:  # shared by all: next() never awaits, so no file is taken twice
                    await self._bring_packed(application.container, blob, packed)

            await run_workers(self._limits.uploads, work)

    async def _open_application(self, container: str) -> None:
        """Create the application's container, or make sure that one of an earlier run stays for this one."""
        until = self._expiry()
        marks = {**self._marks, APPLICATION_KEY: container}
        if until is not None:
            marks[EXPIRES_KEY] = as_mark(until)
        if await self._storage.create_container(container, metadata=marks):
            return
        found = (await self._storage.containers.look(container)).metadata
        if until is None:
            changed = released(found)
        else:
            enough = until - timedelta(seconds=self._limits.ownership_interval)
            changed = renewed(found, until, enough=enough)
        if changed is not None:
            await self._storage.containers.mark(container, changed)

    def _expiry(self) -> datetime | None:
        when, lifetime = self._plan.spec.cleanup.containers, self._limits.ownership_lifetime
        return expiry(when, now=utc_now(), lifetime=lifetime)

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
        reader = InputReader(
            (self._plan.inputs[index] for index in indexes),
            threads=self._threads,
            skip=lambda file: self._brought_before(file) is not None,
            check=refuse_changed if self._resumed else None,
        )

        readers = iter([reader])  # one of the workers reads ahead, the others send

        async def work() -> None:
            mine = next(readers, None)
            await (mine.run() if mine is not None else self._send_all(reader, send))

        # The stream is closed without a pause, so that an error here is known before its consequences there.
        with closing(self._threads), send:
            await run_workers(self._limits.uploads + 1, work)
        if last and not self._before.completed:
            await self._publish(
                StagingCompleted(run_id=self._plan.run_id, files=self._count, size=self._size)
            )

    async def _send_all(self, reader: InputReader, send: MemoryObjectSendStream[Arrival]) -> None:
        while (taken := await reader.next()) is not None:
            file, read = taken
            blob = self._brought_before(file) or await self._bring_input(reader, file, read)
            await send.send((file.index, blob))

    def _brought_before(self, file: InputFile) -> str | None:
        blob = self._before.inputs.get(file.index)
        return blob if self._contents.has(blob) else None

    async def _bring_packed(self, container: str, blob: str, packed: PackedFile) -> None:
        started, digest = utc_now(), packed.digest
        there = await self._storage.blob(container, blob)
        reused = there is not None and there.size == digest.size
        if not reused:
            if packed.path is None:
                await self._storage.upload_bytes(container, blob, packed.content, md5=digest.md5)
            else:
                await self._storage.upload_file(container, blob, packed.path, md5=digest.md5)
            self._size += digest.size
        if blob not in self._told:
            self._told.add(blob)
            await self._publish(
                InputStaged(
                    run_id=self._plan.run_id,
                    name=packed.name,
                    container=container,
                    blob=blob,
                    size=digest.size,
                    md5=digest.md5.hex(),
                    started_at=started,
                    reused=reused,
                )
            )

    async def _bring_input(self, reader: InputReader, file: InputFile, read: Read | None) -> str:
        started = utc_now()
        if file.size > _LARGE:
            await reader.check(file)
            place, md5 = await self._bring_large(file)
        else:
            place, md5 = await self._bring_small(file, read or await reader.read(file))
        if not place.reused:
            self._size += place.size
        await self._publish(
            InputStaged(
                run_id=self._plan.run_id,
                name=file.name,
                container=self._places.input_container,
                blob=place.blob,
                size=place.size,
                md5=md5.hex(),
                started_at=started,
                reused=place.reused,
                index=file.index,
            )
        )
        return place.blob

    async def _bring_small(self, file: InputFile, read: Read) -> tuple[Place, bytes]:
        digest, content = read
        place, container = await self._contents.of_small(file.index, digest), self._places.input_container
        if not place.reused:
            if content is not None:
                await self._storage.upload_bytes(container, place.blob, content, md5=digest.md5)
            else:
                await self._storage.upload_file(container, place.blob, file.path, md5=digest.md5)
            self._contents.arrived(place.blob, digest.md5)
        return place, digest.md5

    async def _bring_large(self, file: InputFile) -> tuple[Place, bytes]:
        place = await self._contents.of_large(file.index, file.path)
        if place.reused:
            return place, self._contents.md5(place.blob)
        md5 = await self._storage.upload_file(
            self._places.input_container, place.blob, file.path, md5=None, version=place.version
        )
        self._contents.arrived(place.blob, md5)
        return place, md5


def application_blobs(application: PackedApplication) -> tuple[tuple[str, PackedFile], ...]:
    """The blob of each file of a packed application."""
    return tuple((small_name(index, packed.digest), packed) for index, packed in enumerate(application.files))
