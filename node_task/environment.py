"""What the environment of a task says: where it runs, and where its outputs go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping, NamedTuple, Optional

if TYPE_CHECKING:
    from node_task.destination import Destination

UNKNOWN = "-"
"""Stands for an id that the environment does not name, as when the program runs outside Batch."""


class BatchIds(NamedTuple):
    """Where a task runs, by the ids of the Batch service."""

    node: str
    task: str
    job: str
    pool: str


def batch_ids(environ: Mapping[str, str]) -> BatchIds:
    """Reads the ids that the service gives to every task.

    Args:
        environ: The environment.

    Returns:
        The ids; ``-`` for one that is not set.
    """
    return BatchIds(
        node=environ.get("AZ_BATCH_NODE_ID") or UNKNOWN,
        task=environ.get("AZ_BATCH_TASK_ID") or UNKNOWN,
        job=environ.get("AZ_BATCH_JOB_ID") or UNKNOWN,
        pool=environ.get("AZ_BATCH_POOL_ID") or UNKNOWN,
    )


def output_destination(environ: Mapping[str, str]) -> Optional[Destination]:
    """Reads where the program has to upload its outputs.

    The container's URL carries the right to write to it, which is why it comes in the environment: a command
    line can be read by every user of the node.

    Args:
        environ: The environment.

    Returns:
        The destination, or ``None`` where ``ORCHESTRATOR_OUTPUT_URL`` is not set: outputs stay on the node.

    Raises:
        UsageError: The URL is none, or nothing names the folder.
    """
    url = environ.get("ORCHESTRATOR_OUTPUT_URL")
    if not url:
        return None
    from node_task.destination import Destination  # noqa: PLC0415  # most tasks need none of it, see __main__

    prefix = environ.get("ORCHESTRATOR_OUTPUT_PREFIX") or environ.get("AZ_BATCH_TASK_ID") or ""
    return Destination.parse(url, prefix)
