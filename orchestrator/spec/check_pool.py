"""Whether the pool that is wanted can be right."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from orchestrator.spec.check_work import hook_faults
from orchestrator.spec.ids import SAMPLE_RUN_ID, expand_run, id_problem
from orchestrator.spec.place import Fault
from orchestrator.spec.pool import PoolSpec

_COUNTS = ("target_dedicated_nodes", "target_low_priority_nodes")
_MOST_SLOTS = 256


def pool_faults(pool: PoolSpec) -> Iterator[Fault]:
    """What can't be right in the pool, with places below `pool`."""
    problem = id_problem(expand_run(pool.id, SAMPLE_RUN_ID))
    if problem:
        yield Fault("pool.id", problem)
    if "id" in pool.rest:
        yield Fault("pool.rest.id", "give it as pool.id")
    if pool.must_exist:
        yield from _existing_faults(pool)
        return
    if pool.vm_size is None:
        yield Fault("pool.vm_size", "is missing: with an image the pool is one to create, which needs both")
    elif not pool.vm_size.strip():
        yield Fault("pool.vm_size", "is empty")
    if pool.image is None:
        yield Fault("pool.image", "is missing: with a vm_size the pool is one to create, which needs both")
    else:
        for name in pool.image.__struct_fields__:
            if not getattr(pool.image, name).strip():
                yield Fault(f"pool.image.{name}", "is empty")
    yield from _size_faults(pool)
    if pool.start_task is not None:
        if "id" in pool.start_task.rest:
            yield Fault("pool.start_task.rest.id", "a start task has no id")
        if pool.start_task.max_task_retry_count < -1:
            yield Fault("pool.start_task.max_task_retry_count", "must be -1 (without limit), 0 or more")
        # The start task is what brings the application, so its commands come too early for it.
        yield from hook_faults(
            pool.start_task,
            "pool.start_task",
            no_application="the application is brought only after these commands",
            must_have_commands=False,
        )


def _existing_faults(pool: PoolSpec) -> Iterator[Fault]:
    only_id = PoolSpec(id=pool.id)
    for field in msgspec.structs.fields(PoolSpec):
        if getattr(pool, field.name) != getattr(only_id, field.name):
            yield Fault(
                f"pool.{field.name}",
                "means nothing for a pool that exists already; to have one created, give vm_size and image",
            )


def _size_faults(pool: PoolSpec) -> Iterator[Fault]:
    for name in _COUNTS:
        if getattr(pool, name) < 0:
            yield Fault(f"pool.{name}", f"{getattr(pool, name)} nodes can't be; 0 or more")
    nodes = any(getattr(pool, name) for name in _COUNTS)
    if pool.rest.get("enableAutoScale"):
        if nodes:
            yield Fault("pool.rest.enableAutoScale", "goes with no number of nodes: the formula decides it")
    elif not nodes:
        yield Fault("pool.target_dedicated_nodes", "the pool would have no nodes; ask for at least one")
    if not 1 <= pool.task_slots_per_node <= _MOST_SLOTS:
        yield Fault(
            "pool.task_slots_per_node", f"{pool.task_slots_per_node} is not between 1 and {_MOST_SLOTS}"
        )
