"""Makes the JSON of each task: command line, files with their addresses, outputs, environment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from orchestrator.accounts.bodies import encode, output_file_body, resource_file_body, task_body
from orchestrator.accounts.storage import StorageAccount
from orchestrator.spec.command import planned_command
from orchestrator.spec.files import KeepLogs, OutputFile, ResourceFile, UploadBy, UploadCondition
from orchestrator.spec.output_places import destination
from orchestrator.spec.plan import PlannedTask, RunPlan
from orchestrator.spec.secret import SecretReference, SecretText
from orchestrator.stages.staging import StagingPlaces
from orchestrator.stages.submit import TaskBody

OUTPUT_URL = "ORCHESTRATOR_OUTPUT_URL"
OUTPUT_PREFIX = "ORCHESTRATOR_OUTPUT_PREFIX"
_LOGS = "../std*.txt"


class TaskBodies:
    """The tasks of a run, ready to be sent, made one after the other as they are asked for.

    Args:
        plan: of the run.
        places: where its files are.
        blob: the blob of an input, by its index, once it is there.
        ready: whether `blob` gives it without waiting.
        storage: signs the addresses.
        resolve: turns one value or reference of the job file into the value.
        until: when every address stops working: after the clean-up of this job.
        without: the tasks whose fate is known already.
    """

    def __init__(
        self,
        *,
        plan: RunPlan,
        places: StagingPlaces,
        blob: Callable[[int], Awaitable[str]],
        ready: Callable[[int], bool],
        storage: StorageAccount,
        resolve: Callable[[str | SecretReference], SecretText],
        until: datetime,
        without: Collection[str] = (),
    ) -> None:
        self._plan = plan
        self._without = without
        self._places = places
        self._blob = blob
        self._ready = ready
        self._storage = storage
        self._resolve = resolve
        self._until = until

    async def __aiter__(self) -> AsyncIterator[TaskBody | None]:
        """Every task of the plan, in its order; None before one whose files have to be waited for."""
        output_url = await self._storage.write_url(self._places.output_container, until=self._until)
        for task in self._plan.tasks:
            if task.id in self._without:
                continue
            if not all(self._ready(index) for index, _, _ in task.inputs):
                yield None
            body = task_body(
                task_id=task.id,
                command_line=self._command(task),
                resource_files=await self._resource_files(task),
                output_files=self._output_files(task, output_url),
                environment=self._environment(task, output_url),
                max_task_retry_count=task.spec.max_task_retry_count,
                max_wall_clock_time=task.spec.max_wall_clock_time,
                retention_time=task.spec.retention_time,
                required_slots=task.spec.required_slots,
                rest=task.spec.rest,
            )
            yield TaskBody(task.id, encode(body))

    def _command(self, task: PlannedTask) -> str:
        application = self._places.application
        return planned_command(task, self._plan.run_id, application.folder if application else None)

    async def _resource_files(self, task: PlannedTask) -> list[dict[str, Any]]:
        files = []
        for index, file_path, file_mode in task.inputs:
            url = await self._storage.read_url(
                self._places.input_container, await self._blob(index), until=self._until
            )
            files.append(resource_file_body(http_url=url, file_path=file_path, file_mode=file_mode))
        files.extend(remote_files(task.spec.resource_files, self._resolve))
        return files

    def _output_files(self, task: PlannedTask, output_url: SecretText) -> list[dict[str, Any]]:
        always = task.spec.logs is KeepLogs.ALWAYS
        condition = UploadCondition.TASK_COMPLETION if always else UploadCondition.TASK_FAILURE
        made = [output_file_body(_LOGS, output_url, task.id, condition)]
        for wanted in task.spec.output_files:
            output = wanted if isinstance(wanted, OutputFile) else OutputFile(pattern=wanted)
            if output.container_url is not None:
                url = self._resolve(output.container_url)
                made.append(output_file_body(output.pattern, url, output.path, output.condition))
            elif task.spec.upload is UploadBy.BATCH:
                path = f"{task.id}/{destination(output)}".rstrip("/")
                made.append(output_file_body(output.pattern, output_url, path, output.condition))
        return made

    def _environment(self, task: PlannedTask, output_url: SecretText) -> dict[str, SecretText]:
        settings = resolve_all(task.spec.environment, self._resolve)
        if task.spec.upload is UploadBy.TASK:
            settings[OUTPUT_URL] = output_url
            settings[OUTPUT_PREFIX] = SecretText(task.id)
        return settings


def remote_files(
    wanted: tuple[str | ResourceFile, ...], resolve: Callable[[str | SecretReference], SecretText]
) -> list[dict[str, Any]]:
    """The bodies of those resource files that the node gets from somewhere else, not from staging."""
    made = []
    for file in wanted:
        if isinstance(file, str) or file.path is not None:
            continue
        made.append(
            resource_file_body(
                http_url=resolve(file.http_url) if file.http_url is not None else None,
                storage_container_url=(
                    resolve(file.storage_container_url) if file.storage_container_url is not None else None
                ),
                blob_prefix=file.blob_prefix,
                file_path=file.file_path,
                file_mode=file.file_mode,
            )
        )
    return made


def resolve_all(
    values: Mapping[str, str | SecretReference], resolve: Callable[[str | SecretReference], SecretText]
) -> dict[str, SecretText]:
    """An environment with its references replaced by the values."""
    return {name: resolve(value) for name, value in values.items()}
