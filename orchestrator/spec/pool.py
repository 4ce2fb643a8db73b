"""The pool that is wanted."""

from __future__ import annotations

import msgspec

from orchestrator.spec.duration import Duration
from orchestrator.spec.files import ResourceFile
from orchestrator.spec.frozen import Rest, freeze_fields, no_content
from orchestrator.spec.secret import Environment


class ImageSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A family of images; the newest verified one of it is taken, with its node agent.

    Args:
        publisher: such as `canonical`.
        offer: such as `ubuntu-24_04-lts`.
        sku: such as `server`; several skus of one family are told apart by their start.
        version: `latest` by default.
    """

    publisher: str
    offer: str
    sku: str
    version: str = "latest"


class StartTaskSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What each node does when it joins, before the application is copied: commands run elevated, in order.

    Args:
        commands: shell command lines; the first that fails ends the start task.
        resource_files: brought to the start task's working directory first.
        environment: for the commands.
        max_task_retry_count: how often the service tries a failed start task again.
        rest: merged as it stands into the start task's body.
    """

    commands: tuple[str, ...] = ()
    resource_files: tuple[str | ResourceFile, ...] = ()
    environment: Environment = msgspec.field(default_factory=no_content)
    max_task_retry_count: int = 1
    rest: Rest = msgspec.field(default_factory=no_content)

    def __post_init__(self) -> None:
        freeze_fields(self)


class PoolSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The pool that is wanted, or, with nothing but an id, one that must exist already.

    Args:
        id: `{run}` in it is a fresh run id: a pool for this run alone.
        vm_size: such as `standard_d2s_v3`.
        image: chosen from what the service verified.
        target_dedicated_nodes: how many nodes of the dedicated kind.
        target_low_priority_nodes: how many spot nodes.
        task_slots_per_node: tasks that a node runs at once.
        resize_timeout: how long the service tries to get the nodes.
        start_task: what each node does when it joins.
        last_net: whether a pool that the run creates, and that is not to stay, shrinks to nothing by itself
            when no program stands for it any more.
        rest: merged as it stands into the pool's body.
    """

    id: str
    vm_size: str | None = None
    image: ImageSpec | None = None
    target_dedicated_nodes: int = 0
    target_low_priority_nodes: int = 0
    task_slots_per_node: int = 1
    resize_timeout: Duration | None = None
    start_task: StartTaskSpec | None = None
    last_net: bool = True
    rest: Rest = msgspec.field(default_factory=no_content)

    def __post_init__(self) -> None:
        freeze_fields(self)

    @property
    def must_exist(self) -> bool:
        """Whether the pool is only named, so that it is used as it is and never created."""
        return self.vm_size is None and self.image is None
