"""The tutorial's way: the synchronous SDKs, one file after the other, all tasks looked at every second."""

from __future__ import annotations

import time
from collections.abc import Mapping
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
    key = AzureNamedKeyCredential(settings["AZURE_BATCH_ACCOUNT"], settings["AZURE_BATCH_ACCESS_KEY"])
    with (
        BatchClient(settings["AZURE_BATCH_ENDPOINT"], key) as batch,
        BlobServiceClient.from_connection_string(settings["AZURE_STORAGE_CONNECTION_STRING"]) as blobs,
    ):
        return _Job(batch, blobs, name, command, output).run(files, results, slots)


class _Job:
    def __init__(
        self, batch: BatchClient, blobs: BlobServiceClient, name: str, command: str, output: str
    ) -> None:
        self._command = command
        self._output = output
        self._batch = batch
        self._blobs = blobs
        self._name = name
        self._expiry = datetime.now(UTC) + timedelta(hours=2)

    def run(self, files: list[Path], results: Path, slots: int) -> tuple[float, float]:
        began = time.monotonic()
        inputs = self._blobs.create_container(f"in-{self._name}")
        outputs = self._blobs.create_container(f"out-{self._name}")
        staged = [self._upload(file) for file in files]
        self._create_pool(slots)
        self._batch.create_job(
            batch_models.BatchJobCreateOptions(
                id=self._name, pool_info=batch_models.BatchPoolInfo(pool_id=self._name)
            )
        )
        self._batch.create_tasks(self._name, [self._task(index, file) for index, file in enumerate(staged)])
        self._wait()
        first = 0.0
        for blob in outputs.list_blobs():
            target = results / blob.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(outputs.download_blob(blob.name).readall())
            first = first or time.monotonic() - began
        last = time.monotonic() - began
        inputs.delete_container()
        outputs.delete_container()
        self._batch.begin_delete_job(self._name).result()
        self._batch.begin_delete_pool(self._name).result()
        return first, last

    def _upload(self, file: Path) -> batch_models.ResourceFile:
        blob = self._blobs.get_blob_client(f"in-{self._name}", file.name)
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

    def _create_pool(self, slots: int) -> None:
        image = batch_models.BatchVmImageReference(
            publisher="canonical", offer="ubuntu-24_04-lts", sku="server", version="latest"
        )
        self._batch.create_pool(
            batch_models.BatchPoolCreateOptions(
                id=self._name,
                vm_size="standard_d2s_v3",
                target_dedicated_nodes=1,
                task_slots_per_node=slots,
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
        container = self._blobs.get_container_client(f"out-{self._name}").url
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

    def _wait(self) -> None:
        deadline = time.monotonic() + _LIMIT
        while any(
            task.state != batch_models.BatchTaskState.COMPLETED for task in self._batch.list_tasks(self._name)
        ):
            if time.monotonic() > deadline:
                raise TimeoutError(f"tasks still run after {_LIMIT:.0f} s")
            time.sleep(_PAUSE)
