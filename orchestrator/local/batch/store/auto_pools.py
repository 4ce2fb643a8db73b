"""Pools that jobs bring along.

Source of facts: recorded (order and defaults of the specification; the pool's id is an upper-case GUID,
with a prefix and an underscore before it if one is given).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from orchestrator.local.batch.store.pool_bodies import DETAILS, POOL_ORDER, SIZE, scaled_pool, vm_size
from orchestrator.local.batch.store.records import PoolRecord
from orchestrator.local.batch.store.shape import Member, Shape, choice, flag, text

_LONGEST_PREFIX: Final = 20
_FIRST: Final = ("taskSlotsPerNode", "taskSchedulingPolicy")

_pool = Shape(
    {
        "displayName": text(1024),
        "vmSize": Member(vm_size, required=True),
        **{name: DETAILS[name] for name in _FIRST},
        **SIZE,
        **{name: member for name, member in DETAILS.items() if name not in _FIRST},
    }
)


def _read_pool(value: Any, name: str) -> dict[str, Any]:
    return scaled_pool(_pool, value, name)


auto_pool_specification = Shape(
    {
        "autoPoolIdPrefix": text(_LONGEST_PREFIX),
        "poolLifetimeOption": Member(choice("job", "jobschedule"), required=True),
        "keepAlive": Member(flag, default=False),
        "pool": Member(_read_pool, required=True),
    }
)

Spec = Mapping[str, Any]


def auto_pool_of(job: Spec) -> Spec | None:
    """Find what a job says about a pool of its own.

    Args:
        job: its spec.
    """
    found: Spec | None = job["poolInfo"].get("autoPoolSpecification")
    return found


def lives_with_schedule(spec: Spec) -> bool:
    """Tell whether all jobs of a schedule share the pool.

    Args:
        spec: autoPoolSpecification.
    """
    return bool(spec["poolLifetimeOption"] == "jobschedule")


def is_kept(spec: Spec) -> bool:
    """Tell whether the pool stays when its time is over.

    Args:
        spec: autoPoolSpecification.
    """
    return bool(spec["keepAlive"])


def make_auto_pool(spec: Spec, at: int) -> PoolRecord:
    """Make the pool.

    Args:
        spec: autoPoolSpecification.
        at: when.
    """
    name = str(uuid.uuid4()).upper()
    if spec.get("autoPoolIdPrefix"):
        name = f"{spec['autoPoolIdPrefix']}_{name}"
    pool = {member: spec["pool"][member] for member in POOL_ORDER if member in spec["pool"]}
    return PoolRecord(id=name, spec=pool, created=at, modified=at, state_since=at, allocation_since=at)
