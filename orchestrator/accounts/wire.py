"""The shapes of the service's answers, as far as they are read. Only `snapshots.py` needs them.

Every member may be missing, unknown ones are passed over. Source of facts: the REST pages Pool, Job, Task,
Compute Node and File - Get, and recorded exchanges.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


# No cycle can go through these: without them a list of very many tasks calls the collector some hundred times
# less, and it is the collector that makes a beat of the event loop come 40 ms late (measured).
class WirePart(msgspec.Struct, rename="camel", gc=False):
    """A part of an answer: every member may be missing, unknown ones are passed over."""


class WirePair(WirePart):
    """A name and a value."""

    name: str = ""
    value: str | None = None


class WireFailure(WirePart):
    """A failure: `failureInfo`, `schedulingError`, a resize error or a node error."""

    category: str = ""
    code: str = ""
    message: str | None = None
    details: list[WirePair] = []
    values: list[WirePair] = []
    error_details: list[WirePair] = []


class WireExecution(WirePart):
    """`executionInfo` of a task or a job, `startTaskInfo` of a node."""

    start_time: str | None = None
    end_time: str | None = None
    exit_code: int | None = None
    result: str | None = None
    failure_info: WireFailure | None = None
    retry_count: int = 0
    requeue_count: int = 0
    pool_id: str | None = None
    terminate_reason: str | None = None
    scheduling_error: WireFailure | None = None


class WireNodeInfo(WirePart):
    """`nodeInfo` of a task."""

    node_id: str | None = None


class WireTask(WirePart):
    """A task."""

    id: str
    state: str = ""
    state_transition_time: str | None = None
    previous_state: str | None = None
    execution_info: WireExecution | None = None
    node_info: WireNodeInfo | None = None


class WirePoolInfo(WirePart):
    """`poolInfo` of a job."""

    pool_id: str | None = None


class WireJob(WirePart):
    """A job."""

    id: str
    state: str = ""
    e_tag: str | None = None
    pool_info: WirePoolInfo | None = None
    execution_info: WireExecution | None = None
    metadata: list[WirePair] = []


class WireStartTask(WirePart):
    """`startTask` of a pool."""

    command_line: str | None = None


class WirePool(WirePart):
    """A pool."""

    id: str
    state: str = ""
    e_tag: str | None = None
    allocation_state: str = ""
    current_dedicated_nodes: int = 0
    target_dedicated_nodes: int = 0
    current_low_priority_nodes: int = 0
    target_low_priority_nodes: int = 0
    task_slots_per_node: int = 1
    vm_size: str = ""
    resize_errors: list[WireFailure] = []
    metadata: list[WirePair] = []
    start_task: WireStartTask | None = None


class WireNode(WirePart):
    """A compute node."""

    id: str
    state: str = ""
    state_transition_time: str | None = None
    scheduling_state: str = "enabled"
    running_tasks_count: int = 0
    is_dedicated: bool = True
    allocation_time: str | None = None
    errors: list[WireFailure] = []
    start_task_info: WireExecution | None = None


class WireDependencies(WirePart):
    """`dependsOn` of a task."""

    task_ids: list[str] = []


class WireWaitingTask(WirePart):
    """A task, by what it waits for."""

    id: str
    required_slots: int = 1
    depends_on: WireDependencies | None = None


class WirePreparation(WirePart):
    """How a job's preparation task went on a node."""

    node_id: str = ""
    job_preparation_task_execution_info: WireExecution | None = None


class WireImageReference(WirePart):
    """`imageReference` of a supported image."""

    publisher: str | None = None
    offer: str | None = None
    sku: str | None = None
    version: str | None = None


class WireImage(WirePart):
    """A supported image."""

    node_agent_sku_id: str = msgspec.field(name="nodeAgentSKUId", default="")
    image_reference: WireImageReference | None = None
    os_type: str = ""
    verification_type: str = ""
    batch_support_end_of_life: str | None = None


class WireFileProperties(WirePart):
    """`properties` of a file."""

    content_length: int | None = None  # a string on the wire, as every 64-bit number


class WireFile(WirePart):
    """A file or folder."""

    name: str
    is_directory: bool = False
    properties: WireFileProperties | None = None


class WireCounts(WirePart):
    """The counts of a job's tasks."""

    task_counts: dict[str, int] = {}


class WirePage(msgspec.Struct):
    """A page of a list, its items as they came."""

    value: list[msgspec.Raw] = []
    next_link: str | None = msgspec.field(name="odata.nextLink", default=None)


class WireTaskPage(msgspec.Struct):
    """A page of tasks."""

    value: list[WireTask] = []
    next_link: str | None = msgspec.field(name="odata.nextLink", default=None)


_KINDS = (WireCounts, WireFile, WireImage, WireJob, WireNode, WirePool, WirePreparation, WireWaitingTask)
# Made here, and not at the first answer: see orchestrator/spec/convert.py on threads.
_DECODERS: Final[dict[type[msgspec.Struct], msgspec.json.Decoder[Any]]] = {
    WirePage: msgspec.json.Decoder(WirePage),
    **{kind: msgspec.json.Decoder(kind, strict=False) for kind in _KINDS},
}


def decoded(body: bytes | msgspec.Raw, kind: type[T]) -> T:
    """An answer as one of these shapes; those of tasks have decoders of their own.

    Raises:
        msgspec.MsgspecError: it is not of that shape.
    """
    found: T = _DECODERS[kind].decode(body)
    return found
