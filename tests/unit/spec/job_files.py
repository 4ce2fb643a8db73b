"""Job files that tests begin with."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from orchestrator.spec import JobSpec, parse_job

TUTORIAL = """\
id = "topnwords"
download_dir = "results"
timeout = "20m"
max_wall_clock_time = "2h"
[pool]
id = "small"
vm_size = "standard_d2s_v3"
image = { publisher = "canonical", offer = "ubuntu-24_04-lts", sku = "server" }
target_dedicated_nodes = 2
task_slots_per_node = 2
[application]
files = ["node_task"]
[task_factory]
per_file = "data/*.txt"
id = "topwords-{index:05}"
command_line = "python3 {application}/node_task.pyz topwords {file} --numwords 3"
upload = "task"
output_files = ["*_OUTPUT.txt"]
[cleanup]
containers = "always"
job = "on_success"
pool = "ask"
"""

_SMALL: dict[str, Any] = {
    "id": "small-job",
    "pool": {"id": "there"},
    "tasks": [{"id": "one", "command_line": "true"}],
}


def small(**changes: Any) -> dict[str, Any]:
    """A right job file as plain values; a change replaces a key at the top, None removes it."""
    plain = copy.deepcopy(_SMALL) | changes
    return {key: value for key, value in plain.items() if value is not None}


def with_task(**keys: Any) -> dict[str, Any]:
    """The small job file with these keys in its task."""
    return small(tasks=[{**_SMALL["tasks"][0], **keys}])


def with_pool(**keys: Any) -> dict[str, Any]:
    """The small job file with a pool to create, and these keys in it; None removes one."""
    pool = {
        "id": "new",
        "vm_size": "standard_d2s_v3",
        "image": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
        "target_dedicated_nodes": 1,
    } | keys
    return small(pool={key: value for key, value in pool.items() if value is not None})


def factory_job(folder: Path, **keys: Any) -> JobSpec:
    """A job whose factory takes every .txt in the folder."""
    factory = {"per_file": "*.txt", "command_line": "wc {file}"} | keys
    return parse_job(small(tasks=None, task_factory=factory), base_dir=folder)
