"""Removes what tasks leave on nodes."""

from __future__ import annotations

import structlog

from orchestrator.local.batch.runtime import Machine

log = structlog.get_logger("orchestrator.local.batch")


async def remove_folder(machine: Machine, directory: str) -> None:
    """Remove a folder of a node, as well as it goes: what stays is logged, and holds nobody up.

    Args:
        machine: any; one without a process has nothing worth removing.
        directory: relative to the node's root.
    """
    if machine.node is None:
        return
    try:
        await machine.node.remove(directory)
    except OSError as error:
        log.warning("node.folder.left", node=machine.record.id, directory=directory, error=str(error))
