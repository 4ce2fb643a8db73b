"""The whole of what is wanted: a job, its pool, its application, its tasks, and what becomes of them."""

from __future__ import annotations

import enum

import msgspec

from orchestrator.spec.duration import Duration
from orchestrator.spec.files import ResourceFile
from orchestrator.spec.frozen import Rest, freeze_fields, no_content
from orchestrator.spec.pool import PoolSpec
from orchestrator.spec.secret import Environment
from orchestrator.spec.task import TaskFactory, TaskSpec

DEFAULT_TIMEOUT = "20m"
"""As the tutorial has it."""


def _default_timeout() -> Duration:
    return Duration(DEFAULT_TIMEOUT)


class CleanupWhen(enum.StrEnum):
    """When a thing is deleted. `ask` asks on a terminal, and is `on_success` where there is none."""

    NEVER = "never"
    ON_SUCCESS = "on_success"
    ALWAYS = "always"
    ASK = "ask"


class CleanupSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of what the run created, once it is over (also after Ctrl-C).

    Args:
        containers: the run's input and output containers.
        job: the job and its tasks.
        pool: the pool and its nodes, which cost money as long as they exist.
    """

    containers: CleanupWhen = CleanupWhen.ALWAYS
    job: CleanupWhen = CleanupWhen.ON_SUCCESS
    pool: CleanupWhen = CleanupWhen.ALWAYS


class ApplicationSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Files that every node gets once; `{application}` in a command line is their folder there.

    Args:
        files: local files; a package folder becomes `NAME.pyz`.
    """

    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        freeze_fields(self)


class JobHookSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job preparation or release task: on each node before the job's first task, or after its last.

    Args:
        commands: shell command lines; the first that fails ends it.
        resource_files: brought to its working directory first.
        environment: for the commands.
        elevated: run as administrator.
        rest: merged as it stands into its body.
    """

    commands: tuple[str, ...]
    resource_files: tuple[str | ResourceFile, ...] = ()
    environment: Environment = msgspec.field(default_factory=no_content)
    elevated: bool = False
    rest: Rest = msgspec.field(default_factory=no_content)

    def __post_init__(self) -> None:
        freeze_fields(self)


class RetriesSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a task that failed is run again, by whose doing the failure was.

    What the command itself fails at is not here: that is `max_task_retry_count`, which the service does.

    Args:
        infrastructure: the node's disk, agent or preparation.
        storage: a file could not be brought to the node, or an output not away from it.
        service: the service took the blame.
        unknown: a reason that this version does not know, or none.
    """

    infrastructure: int = 0
    storage: int = 0
    service: int = 0
    unknown: int = 0

    def allowed(self) -> dict[str, int]:
        """The same by the name of the class (`states.FailureClass`)."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class JobSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job file: everything one run needs to know.

    Args:
        id: of the job; `{run}` in it (or in `pool.id` and `download_dir`) is a fresh run id.
        pool: where it runs.
        application: what every node gets.
        tasks: tasks in full.
        task_factory: one task per file.
        download_dir: where results go, relative to the job file.
        timeout: of the watching, from the last submission.
        max_wall_clock_time: of the job on the service; `timeout` + 1 h by default.
        priority: -1000 to 1000, among the jobs of a pool.
        max_task_retry_count: for tasks that give none.
        retries: how often a task that failed for another reason than its command is run again.
        max_failed_tasks: the run ends early once so many tasks have failed; 0 for never.
        environment: for every task.
        preparation: on each node before the job's first task there.
        release: on each node after the job's last task.
        cleanup: what becomes of what the run created.
        rest: merged as it stands into the job's body.
        base_dir: what relative paths are relative to; set by `load_job` to the job file's folder.
        source: the job file's name, with which the messages of its errors begin; set by `load_job`.
    """

    id: str
    pool: PoolSpec
    application: ApplicationSpec = ApplicationSpec()
    tasks: tuple[TaskSpec, ...] = ()
    task_factory: TaskFactory | None = None
    download_dir: str = "results"
    timeout: Duration = msgspec.field(default_factory=_default_timeout)
    max_wall_clock_time: Duration | None = None
    priority: int = 0
    max_task_retry_count: int = 0
    retries: RetriesSpec = RetriesSpec()
    max_failed_tasks: int = 0
    environment: Environment = msgspec.field(default_factory=no_content)
    preparation: JobHookSpec | None = None
    release: JobHookSpec | None = None
    cleanup: CleanupSpec = CleanupSpec()
    rest: Rest = msgspec.field(default_factory=no_content)
    base_dir: str = "."
    source: str = ""

    def __post_init__(self) -> None:
        freeze_fields(self)
