"""A pool's size: what is missing, what comes, and what is told when it does not."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from orchestrator.local.batch.store.records import NodeRecord, PoolRecord, Spec

_TARGETS: Final = ((True, "targetDedicatedNodes"), (False, "targetLowPriorityNodes"))
_KINDS: Final = {True: "dedicated", False: "low priority"}
_FIRST_ADDRESS: Final = 4
_ADDRESSES_PER_OCTET: Final = 250


def make_node(pool: PoolRecord, *, dedicated: bool, at: int) -> NodeRecord:
    """Make a node with the next address of its pool.

    Args:
        pool: that it is for; it does not have it yet.
        dedicated: or low priority.
        at: when.
    """
    third, fourth = divmod(pool.next_address, _ADDRESSES_PER_OCTET)
    pool.next_address += 1
    name = hashlib.sha256(secrets.token_bytes(32)).hexdigest()
    return NodeRecord(
        id=f"tvmps_{name}_{'d' if dedicated else 'p'}",
        pool_id=pool.id,
        dedicated=dedicated,
        address=f"10.0.{third}.{fourth}",
        slots=pool.spec["taskSlotsPerNode"],
        allocated=at,
        state_since=at,
    )


def node_number(node: NodeRecord) -> int:
    """Tell a node's number in its pool, from 0, in the order in which they were made.

    Args:
        node: any.
    """
    _, _, third, fourth = node.address.split(".")
    return int(third) * _ADDRESSES_PER_OCTET + int(fourth) - _FIRST_ADDRESS


def missing_nodes(pool: PoolRecord) -> int:
    """Tell how many nodes a pool lacks.

    Args:
        pool: resizing.
    """
    return sum(max(0, pool.spec[target] - pool.count(dedicated=kind)) for kind, target in _TARGETS)


def stopped_errors(pool: PoolRecord) -> list[Spec]:
    """Make the errors of a resize that was stopped.

    Args:
        pool: that may have reached its targets all the same.
    """
    # The recorded sentence, and its like for dedicated nodes.
    return [
        {
            "code": "ResizeStopped",
            "message": f"Desired number of {_KINDS[kind]} nodes could not be allocated"
            " due to a stop resize operation",
        }
        for kind, target in _TARGETS
        if pool.count(dedicated=kind) != pool.spec[target]
    ]
