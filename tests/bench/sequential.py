"""The tutorial's way: the synchronous SDKs, one file after the other, all tasks looked at every second."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.batch import BatchClient
from azure.batch import models as batch_models
from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.blob import (
    BlobSasPermissions,
    BlobServiceClient,
    ContainerSasPermissions,
    generate_blob_sas,
    generate_container_sas,
)

_PAUSE = 1.0
_LIMIT = 600.0


def run(
    settings: Mapping[str, str],
    files: list[Path],
    results: Path,
    *,
    name: str,
    slots: int,
    command: str = "wc -w ./{file} > words.out",
    output: str = "*.out",
) -> tuple[float, float]:
    """Do the whole job and clean up.

    Args:
        settings: of the service, as environment variables.
        files: one task for each.
        results: where outputs go.
        name: for the pool, the job and the containers.
        slots: of the one node.
        command: of each task, in a shell; `{file}` stands for its file's name.
        output: the pattern of what it leaves.

    Returns:
        Seconds until the first output was on this disk, and until the last was.
    """
    with opened(settings, name=name, slots=slots, command=command, output=output) as job:
        began = time.monotonic()
        job.begin(job.stage(files))
        job.wait()
        first = last = 0.0
        for _ in job.collected(results):
            last = time.monotonic() - began
            first = first or last
        job.clean_up()
        return first, last


def service_alone(
    settings: Mapping[str, str], files: list[Path], *, name: str, slots: int, command: str, output: str
) -> float:
    """Have the service do the same with the inputs in their container, and leave the outputs in theirs.

    Args:
        settings: as for `run`, like the rest.

    Returns:
        Seconds from the pool's creation to the end of the last task as the service tells it: what is left
        when whoever drives the job takes no time at all.
    """
    with opened(settings, name=name, slots=slots, command=command, output=output) as job:
        staged = job.stage(files)
        began = datetime.now(UTC)
        job.begin(staged)
        job.wait(looks=False)
        taken = job.last_end() - began
        job.clean_up()
        return taken.total_seconds()


@contextmanager
def opened(settings: Mapping[str, str], *, name: str, slots: int, command: str, output: str) -> Iterator[Job]:
    """Give a job of which nothing exists yet; the arguments are those of `run`."""
    key = AzureNamedKeyCredential(settings["AZURE_BATCH_ACCOUNT"], settings["AZURE_BATCH_ACCESS_KEY"])
    with (
        BatchClient(settings["AZURE_BATCH_ENDPOINT"], key) as batch,
        BlobServiceClient.from_connection_string(settings["AZURE_STORAGE_CONNECTION_STRING"]) as blobs,
    ):
        yield Job(batch, blobs, name=name, slots=slots, command=command, output=output)


class Job:
    """One job of the bench, its pool and containers; made by `opened`."""

    def __init__(
        self,
        batch: BatchClient,
        blobs: BlobServiceClient,
        *,
        name: str,
        slots: int,
        command: str,
        output: str,
    ) -> None:
        self._command = command
        self._output = output
        self._batch = batch
        self._blobs = blobs
        self._name = name
        self._slots = slots
        self._expiry = datetime.now(UTC) + timedelta(hours=2)
        self._inputs = blobs.get_container_client(f"in-{name}")
        self._outputs = blobs.get_container_client(f"out-{name}")

    def stage(self, files: list[Path]) -> list[batch_models.ResourceFile]:
        """Upload the inputs, one after the other."""
        self.create_containers()
        return [self._upload(file) for file in files]

    def create_containers(self) -> None:
        """Create those of the inputs and the outputs."""
        self._inputs.create_container()
        self._outputs.create_container()

    def create(self) -> None:
        """Create the pool and the job."""
        self._create_pool()
        self._batch.create_job(
            batch_models.BatchJobCreateOptions(
                id=self._name, pool_info=batch_models.BatchPoolInfo(pool_id=self._name)
            )
        )

    def begin(self, staged: list[batch_models.ResourceFile]) -> None:
        """Create the pool, the job and its tasks."""
        self.create()
        self._batch.create_tasks(self._name, [self._task(index, file) for index, file in enumerate(staged)])

    def collected(self, results: Path) -> Iterator[Path]:
        """Download the outputs, one after the other."""
        for blob in self._outputs.list_blobs():
            target = results / blob.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._outputs.download_blob(blob.name).readall())
            yield target

    def clean_up(self) -> None:
        """Delete what was created."""
        self._inputs.delete_container()
        self._outputs.delete_container()
        self._batch.begin_delete_job(self._name).result()
        self._batch.begin_delete_pool(self._name).result()

    def wait(self, *, looks: bool = True) -> None:
        """Wait for the end of all tasks: by looking at each of them, or by their number only."""
        deadline = time.monotonic() + _LIMIT
        while self._unfinished() if looks else self._counted():
            if time.monotonic() > deadline:
                raise TimeoutError(f"tasks still run after {_LIMIT:.0f} s")
            time.sleep(_PAUSE)

    def last_end(self) -> datetime:
        """When the last task ended, as the service tells it."""
        ends = [
            task.execution_info.end_time
            for task in self._batch.list_tasks(self._name)
            if task.execution_info is not None and task.execution_info.end_time is not None
        ]
        return max(ends)

    def _unfinished(self) -> bool:
        tasks = self._batch.list_tasks(self._name)
        return any(task.state != batch_models.BatchTaskState.COMPLETED for task in tasks)

    def _counted(self) -> bool:
        counts = self._batch.get_job_task_counts(self._name).task_counts
        if counts.failed:
            raise AssertionError(f"{counts.failed} tasks failed")
        return bool(counts.active + counts.running)

    def _upload(self, file: Path) -> batch_models.ResourceFile:
        blob = self._inputs.get_blob_client(file.name)
        with file.open("rb") as content:
            blob.upload_blob(content, overwrite=True)
        sas = generate_blob_sas(
            account_name=str(self._blobs.account_name),
            container_name=f"in-{self._name}",
            blob_name=file.name,
            account_key=self._blobs.credential.account_key,
            permission=BlobSasPermissions(read=True),
            expiry=self._expiry,
        )
        return batch_models.ResourceFile(http_url=f"{blob.url}?{sas}", file_path=file.name)

    def _create_pool(self) -> None:
        image = batch_models.BatchVmImageReference(
            publisher="canonical", offer="ubuntu-24_04-lts", sku="server", version="latest"
        )
        self._batch.create_pool(
            batch_models.BatchPoolCreateOptions(
                id=self._name,
                vm_size="standard_d2s_v3",
                target_dedicated_nodes=1,
                task_slots_per_node=self._slots,
                virtual_machine_configuration=batch_models.VirtualMachineConfiguration(
                    image_reference=image, node_agent_sku_id="batch.node.ubuntu 24.04"
                ),
            )
        )

    def _task(self, index: int, file: batch_models.ResourceFile) -> batch_models.BatchTaskCreateOptions:
        sas = generate_container_sas(
            account_name=str(self._blobs.account_name),
            container_name=f"out-{self._name}",
            account_key=self._blobs.credential.account_key,
            permission=ContainerSasPermissions(create=True, write=True),
            expiry=self._expiry,
        )
        container = self._outputs.url
        return batch_models.BatchTaskCreateOptions(
            id=f"t-{index}",
            command_line=f"/bin/sh -c '{self._command.replace('{file}', str(file.file_path))}'",
            resource_files=[file],
            output_files=[
                batch_models.OutputFile(
                    file_pattern=pattern,
                    destination=batch_models.OutputFileDestination(
                        container=batch_models.OutputFileBlobContainerDestination(
                            container_url=f"{container}?{sas}", path=f"t-{index}"
                        )
                    ),
                    upload_options=batch_models.OutputFileUploadConfiguration(
                        upload_condition=batch_models.OutputFileUploadCondition.TASK_COMPLETION
                    ),
                )
                for pattern in (self._output, "../std*.txt")
            ],
        )
