"""The environment of a command on a node.

Source of facts: the product page "Compute node environment variables". The node adds PATH and LANG beneath
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

_RESERVED_DISK_BYTES: Final = "1000000000"

Settings = Iterable[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a command runs.

    Args:
        account_name: of the service.
        account_url: as a task can reach it, without a slash at the end.
        pool_id: of the node.
        node_id: of the node.
        dedicated: or low priority.
        root: absolute folder of the node.
    """

    account_name: str
    account_url: str
    pool_id: str
    node_id: str
    dedicated: bool
    root: PurePath


def node_environment(place: Place, directory: str) -> dict[str, str]:
    """Make what every command gets.

    Args:
        place: where it runs.
        directory: of the command, relative to the root.

    Returns:
        Variables by name.
    """
    # Text, since paths cost a fifth of what the service does for a task.
    root = str(place.root)
    own = f"{root}/{directory}"
    return {
        "AZ_BATCH_ACCOUNT_NAME": place.account_name,
        "AZ_BATCH_ACCOUNT_URL": f"{place.account_url}/",
        "AZ_BATCH_POOL_ID": place.pool_id,
        "AZ_BATCH_NODE_ID": place.node_id,
        "AZ_BATCH_NODE_IS_DEDICATED": "true" if place.dedicated else "false",
        "AZ_BATCH_NODE_ROOT_DIR": root,
        "AZ_BATCH_NODE_SHARED_DIR": f"{root}/shared",
        "AZ_BATCH_NODE_STARTUP_DIR": f"{root}/startup",
        "AZ_BATCH_NODE_STARTUP_WORKING_DIR": f"{root}/startup/wd",
        "AZ_BATCH_NODE_MOUNTS_DIR": f"{root}/fsmounts",
        "AZ_BATCH_TASK_DIR": own,
        "AZ_BATCH_TASK_WORKING_DIR": f"{own}/wd",
        "AZ_BATCH_TASK_RESERVED_EPHEMERAL_DISK_SPACE_BYTES": _RESERVED_DISK_BYTES,
    }


def job_environment(
    place: Place, directory: str, *, job_id: str, task_id: str, preparation: str | None
) -> dict[str, str]:
    """Make what a command of a job gets.

    Args:
        place: where it runs.
        directory: of the command, relative to the root.
        job_id: of its job.
        task_id: its own.
        preparation: directory of the job's preparation task, for the commands that come after it.

    Returns:
        Variables by name.
    """
    variables = node_environment(place, directory)
    variables["AZ_BATCH_JOB_ID"] = job_id
    variables["AZ_BATCH_TASK_ID"] = task_id
    if preparation is not None:
        variables["AZ_BATCH_JOB_PREP_DIR"] = str(place.root / preparation)
        variables["AZ_BATCH_JOB_PREP_WORKING_DIR"] = str(place.root / preparation / "wd")
    return variables


def with_settings(variables: dict[str, str], *layers: Settings) -> dict[str, str]:
    """Lay users' settings over.

    Args:
        variables: to start from.
        layers: environmentSettings in wire form, the strongest last; one without a value is empty.

    Returns:
        All of it.
    """
    for layer in layers:
        variables.update({setting["name"]: setting.get("value", "") for setting in layer})
    return variables
