"""The tasks that are wanted: one in full, or a factory that makes one for each file, or so many of them."""

from __future__ import annotations

import msgspec

from orchestrator.spec.duration import Duration
from orchestrator.spec.files import KeepLogs, OutputFile, ResourceFile, UploadBy
from orchestrator.spec.frozen import Rest, freeze_fields, no_content
from orchestrator.spec.secret import Environment


# No cycle can go through it, and many runs may have many tasks: the collector need not look at them.
class TaskSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What a task and a factory have in common.

    Args:
        command_line: with `{file}`, `{index}`, `{run}` and `{application}` replaced, any other brace literal.
        shell: whether `/bin/sh -c` runs it; without a shell it is sent as it stands.
        upload: who uploads the outputs.
        resource_files: a string is a local file.
        output_files: a string is a glob.
        logs: whether stdout and stderr of tasks that succeed are kept too: two files a task, which with
            hundreds of thousands of tasks cost more than the tasks.
        environment: settings for the command.
        max_task_retry_count: how often the service tries a failed task again; -1 is without limit.
        max_wall_clock_time: limit of one task on the node.
        retention_time: how long its folder stays on the node.
        required_slots: how many of a node's slots it takes.
        rest: merged as it stands into the task's body.
    """

    command_line: str
    shell: bool = True
    upload: UploadBy = UploadBy.BATCH
    resource_files: tuple[str | ResourceFile, ...] = ()
    output_files: tuple[str | OutputFile, ...] = ()
    logs: KeepLogs = KeepLogs.ALWAYS
    environment: Environment = msgspec.field(default_factory=no_content)
    max_task_retry_count: int | None = None
    max_wall_clock_time: Duration | None = None
    retention_time: Duration | None = None
    required_slots: int = 1
    rest: Rest = msgspec.field(default_factory=no_content)

    def __post_init__(self) -> None:
        freeze_fields(self)


class TaskSpec(TaskSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task in full.

    Args:
        id: letters, digits, `-` and `_`, at most 64.
        file: the local file that `{file}` stands for, if there is one; it is staged.
    """

    id: str
    file: str | None = None


class TaskFactory(TaskSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task for each file that the patterns match, in the order of their names; or so many without files.

    Exactly one of `per_file` and `count` is given.

    Args:
        per_file: glob(s) relative to the job file.
        count: how many tasks; `{index}` tells them apart.
        id: with `{index}` or `{index:05}` in it.
    """

    per_file: str | tuple[str, ...] | None = None
    count: int | None = None
    id: str = "task-{index:05}"
