"""Stage: brings the inputs and the application to the account's storage, concurrently and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from orchestrator.accounts.storage import StorageAccount
from orchestrator.errors import StagingError
from orchestrator.events import InputStaged, Publish, StagingCompleted, StagingStarted, utc_now
from orchestrator.limits import Limits
from orchestrator.spec.marks import JOB_KEY, RUN_KEY
from orchestrator.spec.plan import RunPlan
from orchestrator.stages.ledger import Ledger, ResourceKind
from orchestrator.stages.package import FileDigest, PackedApplication, PackedFile, digest_file
from orchestrator.stages.workers import run_workers


class StagedFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything is now.

    Args:
        input_container: of this run.
        output_container: of this run.
        blobs: the blob of each input, by the input's index.
        application: the packed application, None where there is none.
    """

    input_container: str
    output_container: str
    blobs: Mapping[int, str]
    application: PackedApplication | None


class _Upload(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    container: str
    index: int
    path: Path | None = None
    packed: PackedFile | None = None


async def stage_files(
    *,
    plan: RunPlan,
    application: PackedApplication | None,
    containers: tuple[str, str],
    storage: StorageAccount,
    ledger: Ledger,
    publish: Publish,
    limits: Limits,
) -> StagedFiles:
    """Create the containers and bring every file there, a bounded number at once.

    The application's container is named by its content, so an earlier run's upload is used again; input and
    output containers belong to this run.

    Args:
        plan: what to stage.
        application: packed by `pack_application`.
        containers: the names of the run's input and output containers.
        storage: where to.
        ledger: each container is written there before it is created.
        publish: told of every file.
        limits: `uploads` at once.

    Returns:
        Where everything is.

    Raises:
        StagingError: a file could not be read or changed while it was read.
        ServiceError, UnreachableError: storage refused or did not answer.
    """
    input_container, output_container = containers
    metadata = {RUN_KEY: plan.run_id, JOB_KEY: plan.job_id}
    for container in containers:
        await ledger.owe(ResourceKind.CONTAINER, container)
        await storage.create_container(container, metadata=metadata)
    if application is not None:
        await ledger.owe(ResourceKind.APPLICATION, application.container)
        await storage.create_container(application.container, metadata={})
    blobs: dict[int, str] = {}
    uploads = _uploads(plan, application, input_container)
    count = len(plan.inputs) + (len(application.files) if application else 0)
    listed = (*containers, application.container) if application else containers
    await publish(StagingStarted(run_id=plan.run_id, files=count, containers=listed))
    total = 0

    async def work() -> None:
        nonlocal total
        for upload in uploads:  # one iterator shared by all: next() never awaits, so no file is taken twice
            size = await _bring(upload, storage, publish, plan.run_id, blobs)
            total += size  # not in one with the await: the others add to it meanwhile

    await run_workers(min(limits.uploads, count), work)
    await publish(StagingCompleted(run_id=plan.run_id, files=count, size=total))
    return StagedFiles(
        input_container=input_container,
        output_container=output_container,
        blobs=blobs,
        application=application,
    )


async def restore_application(
    *, application: PackedApplication, storage: StorageAccount, publish: Publish, run_id: str
) -> None:
    """Look again, once the pool names it, that the application is there; bring what is missing.

    Between staging and the pool's creation the clean-up of another run may have deleted a container that no
    pool named yet. From here on the pool names it, so nobody deletes it.

    Raises:
        ServiceError, UnreachableError: storage refused or did not answer.
    """
    await storage.create_container(application.container, metadata={})
    for index, packed in enumerate(application.files):
        upload = _Upload(name=packed.name, container=application.container, index=index, packed=packed)
        blob = _blob_name(index, packed.digest)
        if await storage.blob(application.container, blob) is None:
            await _bring(upload, storage, publish, run_id, {})


def application_blobs(application: PackedApplication) -> tuple[tuple[str, PackedFile], ...]:
    """The blob of each file of a packed application."""
    return tuple((_blob_name(index, packed.digest), packed) for index, packed in enumerate(application.files))


def _uploads(plan: RunPlan, application: PackedApplication | None, container: str) -> Iterator[_Upload]:
    if application is not None:
        for index, packed in enumerate(application.files):
            yield _Upload(name=packed.name, container=application.container, index=index, packed=packed)
    for file in plan.inputs:
        yield _Upload(name=file.name, container=container, index=file.index, path=file.path)


async def _bring(
    upload: _Upload, storage: StorageAccount, publish: Publish, run_id: str, blobs: dict[int, str]
) -> int:
    started = utc_now()
    packed = upload.packed
    path = packed.path if packed else upload.path
    digest = packed.digest if packed else await digest_file(_known(path))
    blob = _blob_name(upload.index, digest)
    reused = False
    try:
        if packed is not None:
            there = await storage.blob(upload.container, blob)
            reused = there is not None and there.size == digest.size
        if not reused and path is not None:
            await storage.upload_file(upload.container, blob, path, md5=digest.md5)
        elif not reused and packed is not None:
            await storage.upload_bytes(upload.container, blob, packed.content, md5=digest.md5)
    except OSError as error:
        raise StagingError(f"can't be read: {error.strerror}", path=str(path)) from error
    if packed is None:
        blobs[upload.index] = blob
    await publish(_staged(run_id, upload, blob, digest, started, reused=reused))
    return 0 if reused else digest.size


def _staged(
    run_id: str, upload: _Upload, blob: str, digest: FileDigest, started: datetime, *, reused: bool
) -> InputStaged:
    return InputStaged(
        run_id=run_id,
        name=upload.name,
        container=upload.container,
        blob=blob,
        size=digest.size,
        md5=digest.md5.hex(),
        started_at=started,
        reused=reused,
    )


def _known(path: Path | None) -> Path:
    if path is None:
        raise StagingError("has neither a path nor content", path="application")
    return path


def _blob_name(index: int, digest: FileDigest) -> str:
    # Azurite fails on odd blob names; the true name travels as the resource file's filePath only.
    return f"{index}-{digest.sha256[:24]}"
