"""What is wanted, made into the bodies that the service takes. Pure.

Source of facts: the REST pages Pool - Add, Job - Add, Task - Add. Members that are not given are left out, so
that the service's own defaults hold. `rest` comes last, so that whatever the API has can be said in a job
file; only our own metadata stays beside whatever it says there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from orchestrator.spec.duration import Duration
from orchestrator.spec.files import UploadCondition
from orchestrator.spec.pool import PoolSpec
from orchestrator.spec.secret import SecretText
from orchestrator.states import SupportedImage

Text = str | SecretText


def encode(body: Mapping[str, Any]) -> bytes:
    """The JSON of a body, as the requests take it.

    Args:
        body: made by this module.

    Returns:
        UTF-8.
    """
    return msgspec.json.encode(body)


def merge_rest(body: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    """Lay what a job file says literally over a body: objects are merged, all else is replaced.

    Args:
        body: made by us.
        rest: from the job file; frozen or not.

    Returns:
        A new body; neither argument is changed.
    """
    if not rest:  # nearly every task of a large job
        return dict(body)
    merged = {name: _plain(value) for name, value in body.items()}
    for name, value in rest.items():
        there = merged.get(name)
        if isinstance(value, Mapping) and isinstance(there, dict):
            merged[name] = merge_rest(there, value)
        else:
            merged[name] = _plain(value)
    return merged


def environment_settings(environment: Mapping[str, Text]) -> list[dict[str, str]]:
    """Settings as the service takes them.

    Args:
        environment: names and values, with every reference to a secret resolved.

    Returns:
        The list, in the order given.
    """
    return [{"name": name, "value": _reveal(value)} for name, value in environment.items()]


def metadata_items(metadata: Mapping[str, str]) -> list[dict[str, str]]:
    """Metadata as the service takes it.

    Args:
        metadata: names and values.

    Returns:
        The list, in the order given.
    """
    return [{"name": name, "value": value} for name, value in metadata.items()]


def resource_file_body(
    *,
    http_url: Text | None = None,
    storage_container_url: Text | None = None,
    file_path: str | None = None,
    blob_prefix: str | None = None,
    file_mode: str | None = None,
) -> dict[str, Any]:
    """A resource file; exactly one address is given.

    Args:
        http_url: of one file, signed where it has to be.
        storage_container_url: of a container.
        file_path: where it goes in the working directory.
        blob_prefix: which blobs of the container.
        file_mode: octal.

    Returns:
        The body.

    Raises:
        ValueError: none or both of the addresses are given.
    """
    if (http_url is None) == (storage_container_url is None):
        raise ValueError("a resource file has either http_url or storage_container_url")
    body: dict[str, Any] = {}
    if http_url is not None:
        body["httpUrl"] = _reveal(http_url)
    if storage_container_url is not None:
        body["storageContainerUrl"] = _reveal(storage_container_url)
    if file_path is not None:
        body["filePath"] = file_path
    if blob_prefix is not None:
        body["blobPrefix"] = blob_prefix
    if file_mode is not None:
        body["fileMode"] = file_mode
    return body


def output_file_body(
    pattern: str, container_url: Text, path: str | None, condition: UploadCondition
) -> dict[str, Any]:
    """An output file.

    Args:
        pattern: a glob.
        container_url: signed for creating and writing.
        path: folder of a wildcard's matches, or name of a single file's blob.
        condition: when it is uploaded.

    Returns:
        The body.
    """
    container = {"containerUrl": _reveal(container_url)}
    if path is not None:
        container["path"] = path
    return {
        "filePattern": pattern,
        "destination": {"container": container},
        "uploadOptions": {"uploadCondition": str(condition)},
    }


def pool_body(
    spec: PoolSpec,
    *,
    pool_id: str,
    image: SupportedImage,
    start_task: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A pool to be created.

    Args:
        spec: what is wanted.
        pool_id: with everything replaced in it.
        image: chosen for it, with its node agent.
        start_task: made by `start_task_body`.
        metadata: ours, for finding it again.

    Returns:
        The body.
    """
    body = _given(
        id=pool_id,
        vmSize=spec.vm_size,
        virtualMachineConfiguration={
            "imageReference": {
                "publisher": image.publisher,
                "offer": image.offer,
                "sku": image.sku,
                "version": spec.image.version if spec.image is not None else image.version,
            },
            "nodeAgentSKUId": image.node_agent_sku_id,
        },
        targetDedicatedNodes=spec.target_dedicated_nodes,
        targetLowPriorityNodes=spec.target_low_priority_nodes,
        taskSlotsPerNode=spec.task_slots_per_node,
        resizeTimeout=_iso(spec.resize_timeout),
        startTask=start_task,
    )
    if spec.rest.get("enableAutoScale"):
        # With a formula the service refuses targets and a time limit (REST: Pool - Add).
        for member in ("targetDedicatedNodes", "targetLowPriorityNodes", "resizeTimeout"):
            body.pop(member, None)
    return _marked(merge_rest(body, spec.rest), metadata)


def start_task_body(
    command_line: str,
    resource_files: Sequence[Mapping[str, Any]] = (),
    environment: Mapping[str, Text] | None = None,
    *,
    elevated: bool = True,
    retries: int = 1,
    rest: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A start task that every node waits for.

    Args:
        command_line: of the shell.
        resource_files: made by `resource_file_body`.
        environment: for the command.
        elevated: as administrator.
        retries: how often the service tries it again.
        rest: merged last.

    Returns:
        The body.
    """
    body = hook_body(command_line, resource_files, environment, elevated=elevated)
    body.update(maxTaskRetryCount=retries, waitForSuccess=True)
    return merge_rest(body, rest or {})


def hook_body(
    command_line: str,
    resource_files: Sequence[Mapping[str, Any]] = (),
    environment: Mapping[str, Text] | None = None,
    *,
    elevated: bool = False,
    rest: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A job preparation or job release task.

    Args:
        command_line: of the shell.
        resource_files: made by `resource_file_body`.
        environment: for the command.
        elevated: as administrator.
        rest: merged last.

    Returns:
        The body.
    """
    level = "admin" if elevated else "nonadmin"
    body = _given(
        commandLine=command_line,
        resourceFiles=list(resource_files) or None,
        environmentSettings=environment_settings(environment) if environment else None,
        userIdentity={"autoUser": {"scope": "pool", "elevationLevel": level}},
    )
    return merge_rest(body, rest or {})


def job_body(
    *,
    job_id: str,
    pool_id: str,
    priority: int = 0,
    max_wall_clock_time: Duration | None = None,
    max_task_retry_count: int = 0,
    environment: Mapping[str, Text] | None = None,
    preparation: Mapping[str, Any] | None = None,
    release: Mapping[str, Any] | None = None,
    metadata: Mapping[str, str] | None = None,
    rest: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A job to be created. It does not end by itself, as one without tasks would at once (REST: Job - Add).

    Args:
        job_id: with everything replaced in it.
        pool_id: where it runs.
        priority: -1000 to 1000.
        max_wall_clock_time: of the job, from its creation.
        max_task_retry_count: of tasks that say none.
        environment: of every task.
        preparation: made by `hook_body`.
        release: made by `hook_body`.
        metadata: ours, for finding it again.
        rest: merged last.

    Returns:
        The body.
    """
    body = _given(
        id=job_id,
        poolInfo={"poolId": pool_id},
        priority=priority,
        constraints=_given(
            maxWallClockTime=_iso(max_wall_clock_time), maxTaskRetryCount=max_task_retry_count
        ),
        commonEnvironmentSettings=environment_settings(environment) if environment else None,
        jobPreparationTask=preparation,
        jobReleaseTask=release,
        onAllTasksComplete="noaction",
    )
    return _marked(merge_rest(body, rest or {}), metadata)


def task_body(
    *,
    task_id: str,
    command_line: str,
    resource_files: Sequence[Mapping[str, Any]] = (),
    output_files: Sequence[Mapping[str, Any]] = (),
    environment: Mapping[str, Text] | None = None,
    max_wall_clock_time: Duration | None = None,
    max_task_retry_count: int | None = None,
    retention_time: Duration | None = None,
    required_slots: int = 1,
    rest: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A task to be added.

    Args:
        task_id: unique in the job, without regard to case.
        command_line: as the node runs it.
        resource_files: made by `resource_file_body`.
        output_files: made by `output_file_body`.
        environment: for the command.
        max_wall_clock_time: of the command.
        max_task_retry_count: the job's own where none is given.
        retention_time: of its folder on the node.
        required_slots: how many it takes.
        rest: merged last.

    Returns:
        The body.
    """
    # Member by member, and nothing built that is left out: this runs for every task of a large job.
    body: dict[str, Any] = {"id": task_id, "commandLine": command_line}
    if resource_files:
        body["resourceFiles"] = list(resource_files)
    if output_files:
        body["outputFiles"] = list(output_files)
    if environment:
        body["environmentSettings"] = environment_settings(environment)
    constraints: dict[str, Any] = {}
    if max_wall_clock_time is not None:
        constraints["maxWallClockTime"] = _iso(max_wall_clock_time)
    if retention_time is not None:
        constraints["retentionTime"] = _iso(retention_time)
    if max_task_retry_count is not None:
        constraints["maxTaskRetryCount"] = max_task_retry_count
    if constraints:
        body["constraints"] = constraints
    body["requiredSlots"] = required_slots
    return merge_rest(body, rest) if rest else body


def _marked(body: dict[str, Any], metadata: Mapping[str, str] | None) -> dict[str, Any]:
    # Our metadata stays whatever the job file says: clean-up deletes only what names its run.
    if not metadata:
        return body
    others = [item for item in body.get("metadata") or () if item.get("name") not in metadata]
    return {**body, "metadata": metadata_items(metadata) + others}


def _given(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


@lru_cache(maxsize=64)  # a job has few lengths of time, and each of its tasks says them again
def _iso(duration: Duration | None) -> str | None:
    return duration.iso if duration is not None else None


def _reveal(value: Text | None) -> Any:
    return value.reveal() if isinstance(value, SecretText) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
