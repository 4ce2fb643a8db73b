"""What a node is told to run for each kind of task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.local.batch.execution import POOL_USER, TASK_USER, Execution
from orchestrator.local.batch.interference import Interference
from orchestrator.local.batch.runtime import Attempt, Machine
from orchestrator.local.batch.store.environment import (
    Place,
    job_environment,
    node_environment,
    with_settings,
)
from orchestrator.local.batch.store.records import JobRecord
from orchestrator.local.batch.store.views import task_directory
from orchestrator.local.wire.times import seconds_of

STARTUP: Final = "startup"

Wire = Mapping[str, Any]


class Executions:
    """Makes Executions.

    Args:
        account_name: of the service.
        account_url: as a task can reach it, without a slash at the end.
        interference: may change what runs.
    """

    def __init__(self, account_name: str, account_url: str, interference: Interference) -> None:
        self._account_name = account_name
        self._account_url = account_url
        self._interference = interference

    def of_task(self, attempt: Attempt) -> Execution:
        """Make what runs a job's task.

        Args:
            attempt: of the task.
        """
        job, task, spec = attempt.job.record, attempt.task, attempt.task.spec
        directory = task_directory(job.id, task.id)
        limits = spec["constraints"]
        most = limits["maxTaskRetryCount"]
        execution = Execution(
            execution_id=attempt.execution_id,
            command_line=spec["commandLine"],
            directory=directory,
            environment=self._of_job(attempt.machine, job, directory, task.id, spec),
            resource_files=tuple(spec.get("resourceFiles", ())),
            output_files=tuple(spec.get("outputFiles", ())),
            max_wall_clock_seconds=seconds_of(limits["maxWallClockTime"]),
            elevated=is_elevated(spec["userIdentity"], attempt.machine),
            user=_user(spec["userIdentity"]),
            final_attempt=0 <= most <= task.retry_count,
        )
        return self._interference.execution(attempt.machine, execution)

    def of_start_task(self, machine: Machine, spec: Wire, execution_id: str) -> Execution:
        """Make what runs a pool's start task.

        Args:
            machine: where.
            spec: wire form of the start task.
            execution_id: on the node.
        """
        variables = node_environment(self._place(machine), STARTUP)
        execution = Execution(
            execution_id=execution_id,
            command_line=spec["commandLine"],
            directory=STARTUP,
            environment=with_settings(variables, spec.get("environmentSettings", ())),
            resource_files=tuple(spec.get("resourceFiles", ())),
            elevated=is_elevated(spec["userIdentity"], machine),
            user=_user(spec["userIdentity"]),
            readable=True,
        )
        return self._interference.execution(machine, execution)

    def of_job_command(self, machine: Machine, job: JobRecord, member: str, execution_id: str) -> Execution:
        """Make what runs a job's preparation or release task.

        Args:
            machine: where.
            job: of the task.
            member: `jobPreparationTask` or `jobReleaseTask`.
            execution_id: on the node.
        """
        spec = job.spec[member]
        directory = task_directory(job.id, spec["id"])
        limit = (
            spec["maxWallClockTime"]
            if member == "jobReleaseTask"
            else spec["constraints"]["maxWallClockTime"]
        )
        execution = Execution(
            execution_id=execution_id,
            command_line=spec["commandLine"],
            directory=directory,
            environment=self._of_job(
                machine, job, directory, spec["id"], spec, prepared=member == "jobReleaseTask"
            ),
            resource_files=tuple(spec.get("resourceFiles", ())),
            max_wall_clock_seconds=seconds_of(limit),
            elevated=is_elevated(spec["userIdentity"], machine),
            user=_user(spec["userIdentity"]),
            readable=True,
        )
        return self._interference.execution(machine, execution)

    def _place(self, machine: Machine) -> Place:
        if machine.node is None:
            raise RuntimeError(f"node {machine.record.id} has no process")
        return Place(
            account_name=self._account_name,
            account_url=self._account_url,
            pool_id=machine.record.pool_id,
            node_id=machine.record.id,
            dedicated=machine.record.dedicated,
            root=machine.node.root,
        )

    def _of_job(
        self,
        machine: Machine,
        job: JobRecord,
        directory: str,
        task_id: str,
        spec: Wire,
        *,
        prepared: bool = True,
    ) -> dict[str, str]:
        preparation = job.spec.get("jobPreparationTask")
        prepared_in = task_directory(job.id, preparation["id"]) if preparation and prepared else None
        variables = job_environment(
            self._place(machine), directory, job_id=job.id, task_id=task_id, preparation=prepared_in
        )
        return with_settings(
            variables, job.spec.get("commonEnvironmentSettings", ()), spec.get("environmentSettings", ())
        )


def unknown_user(identity: Wire, machine: Machine) -> str | None:
    """Tell whether a task names a user that its pool does not have.

    Args:
        identity: wire form of userIdentity.
        machine: where it would run.

    Returns:
        The user's name, or None when all is well.
    """
    name: str | None = identity.get("username")
    if name is None or _account(name, machine) is not None:
        return None
    return name


def is_elevated(identity: Wire, machine: Machine) -> bool:
    """Tell whether a command runs as administrator.

    Args:
        identity: wire form of userIdentity.
        machine: where it runs.
    """
    user = identity.get("autoUser") or _account(identity["username"], machine) or {}
    return bool(user.get("elevationLevel") == "admin")


def _user(identity: Wire) -> str:
    if "username" in identity:
        return f"account:{identity['username']}"
    return TASK_USER if identity["autoUser"].get("scope") == "task" else POOL_USER


def _account(name: str, machine: Machine) -> Wire | None:
    accounts: list[Wire] = machine.pool.record.spec.get("userAccounts", [])
    return next((account for account in accounts if account["name"] == name), None)
