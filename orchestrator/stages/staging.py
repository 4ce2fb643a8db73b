"""Stage: brings the application and the inputs to the account's storage, concurrently, once and checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import anyio
import anyio.to_thread
import msgspec
from anyio.streams.memory import MemoryObjectSendStream

from orchestrator.accounts.storage import StorageAccount
from orchestrator.errors import StagingError
from orchestrator.events import InputStaged, Publish, StagingCompleted, StagingStarted, utc_now
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
from orchestrator.stages.ledger import Ledger, ResourceKind
from orchestrator.stages.package import FileDigest, PackedApplication, PackedFile, digest_file
from orchestrator.stages.workers import run_workers
from orchestrator.states import BlobSnapshot

Arrival: TypeAlias = tuple[int, str]
"""An input that is in its container: its index in the plan, and its blob."""

KEY_BYTES: Final = 12
"""Of a file's SHA-256, in the name of its blob."""


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


class _Upload(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    container: str
    index: int
    file: InputFile | None = None
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
        # By content: the input whose blob has it, and, as long as that goes up, what its likes wait for.
        self._first: dict[bytes, int] = {}
        self._going_up: dict[str, anyio.Event] = {}
        # Of large ones, by content: they are made on the way.
        self._md5s: dict[str, bytes] = {}
        # What a run that is resumed finds in its container: by name, and by content.
        self._there: dict[str, BlobSnapshot] = {}
        self._of_content: dict[str, BlobSnapshot] = {}

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
        for container in (self._places.input_container, self._places.output_container):
            await ledger.owe(ResourceKind.CONTAINER, container)
            await self._storage.create_container(container, metadata=metadata)
        if self._places.application is not None:
            await ledger.owe(ResourceKind.APPLICATION, self._places.application.container)
            await self._open_application(self._places.application.container)
        if self._resumed:
            # An upload may have come to its end without having been written down.
            async for blob in self._storage.list_blobs(self._places.input_container, ""):
                self._there[blob.name] = blob
                self._of_content[blob.name.partition("-")[2]] = blob
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
            await self._bring_all(
                _Upload(name=packed.name, container=application.container, index=index, packed=packed)
                for index, packed in enumerate(application.files)
            )

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
        with send:  # closed without a pause, so that an error here is known before its consequences there
            inputs = (self._plan.inputs[index] for index in indexes)
            await self._bring_all(
                (
                    _Upload(
                        name=file.name,
                        container=self._places.input_container,
                        index=file.index,
                        file=file,
                    )
                    for file in inputs
                ),
                send,
            )
        if last and not self._before.completed:
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
        if packed is None and (known := self._before.inputs.get(upload.index)) in self._there:
            return str(known)
        if packed is not None:
            digest = packed.digest
            blob = _blob_name(upload.index, digest)
            there = await self._storage.blob(upload.container, blob)
            reused = there is not None and there.size == digest.size
        else:
            if self._resumed:
                await anyio.to_thread.run_sync(_refuse_changed, _input(upload))
            digest, content = await digest_file(_input(upload).path)
            blob, reused = await self._same_content(upload.index, digest)
        if not reused:
            await self._upload(upload, blob, digest, content)
            self._size += digest.size
        if packed is None or blob not in self._told:
            self._told.update((blob,) if packed is not None else ())
            await self._publish(self._staged(upload, blob, digest, started, reused=reused))
        return blob

    async def _same_content(self, index: int, digest: FileDigest) -> tuple[str, bool]:
        """The blob for a content, and whether it is there already (after waiting until it is)."""
        if there := self._uploaded_before(digest):
            return there, True
        first = self._first.setdefault(bytes.fromhex(digest.sha256), index)
        if first == index:
            self._going_up[digest.sha256] = anyio.Event()
        elif waiting := self._going_up.get(digest.sha256):
            await waiting.wait()
        return _blob_name(first, digest), first != index

    def _uploaded_before(self, digest: FileDigest) -> str | None:
        """The blob with that content that an earlier program of this run has uploaded."""
        found = self._of_content.get(_content_key(digest))
        if found is None or found.md5 is None or found.size != digest.size:
            return None
        if digest.md5 is None:
            self._md5s[digest.sha256] = found.md5
        return found.name if digest.md5 in {None, found.md5} else None

    async def _upload(self, upload: _Upload, blob: str, digest: FileDigest, content: bytes | None) -> None:
        packed = upload.packed
        path = packed.path if packed else _input(upload).path
        if packed is not None and path is None:
            content = packed.content
        try:
            if content is not None:
                await self._storage.upload_bytes(upload.container, blob, content, md5=digest.md5)
            elif path is not None:
                md5 = await self._storage.upload_file(
                    upload.container, blob, path, md5=digest.md5, sha256=digest.sha256
                )
                if digest.md5 is None:
                    self._md5s[digest.sha256] = md5
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
            md5=(digest.md5 or self._md5s[digest.sha256]).hex(),
            started_at=started,
            reused=reused,
            index=upload.index if upload.packed is None else None,
        )


def application_blobs(application: PackedApplication) -> tuple[tuple[str, PackedFile], ...]:
    """The blob of each file of a packed application."""
    return tuple((_blob_name(index, packed.digest), packed) for index, packed in enumerate(application.files))


def _input(upload: _Upload) -> InputFile:
    if upload.file is None:
        raise StagingError("has neither a path nor content", path=upload.name)
    return upload.file


def _refuse_changed(file: InputFile) -> None:
    """Make sure that a file is the one that the run began with: its other files are of that moment.

    Raises:
        StagingError: it is gone, or was changed.
    """
    try:
        found = file.path.stat()
    except OSError as error:
        raise StagingError(
            f"is not there any more ({error.strerror}), and had not been uploaded when the program died; "
            "put it back, and resume the run",
            path=str(file.path),
        ) from error
    if (found.st_size, found.st_mtime_ns) != (file.size, file.modified_ns):
        raise StagingError(
            "was changed after the run began, and had not been uploaded when the program died; put the old "
            "one back (its time too), or begin a new run",
            path=str(file.path),
        )


def _blob_name(index: int, digest: FileDigest) -> str:
    # Azurite fails on odd blob names; the true name travels as the resource file's filePath only.
    return f"{index}-{_content_key(digest)}"


def _content_key(digest: FileDigest) -> str:
    return digest.sha256[: 2 * KEY_BYTES]
