"""Steps in at the Batch endpoint where the fault lab says so."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import structlog

from orchestrator.local.batch.execution import Execution, TransferFault
from orchestrator.local.batch.executions import STARTUP
from orchestrator.local.batch.interference import Mishaps
from orchestrator.local.batch.runtime import Machine, PoolRuntime
from orchestrator.local.batch.simulation import is_simulated
from orchestrator.local.batch.store.resizing import node_number
from orchestrator.local.faults.decision import Occasion
from orchestrator.local.faults.kinds import (
    ALLOCATE,
    BLOB_DOWNLOAD,
    BLOB_UPLOAD,
    BOOT_NODE,
    JOB_DELETION,
    POOL_DELETION,
    RUN_TASK,
    START_TASK,
    ExpiredSas,
    FailAllocation,
    FailStartTask,
    FailTransfer,
    Fault,
    Linger,
    LoseNode,
    PreemptNode,
    UnusableNode,
)
from orchestrator.local.faults.lab import FaultLab
from orchestrator.local.faults.requests import meet, occasion_of
from orchestrator.local.wire.app import Answer
from orchestrator.local.wire.call import Call, Reply

log = structlog.get_logger("orchestrator.local.faults")

_RESIZE_MESSAGES: Final[Mapping[str, str]] = {
    "AccountCoreQuotaReached": "The specified account core quota has been reached",
    "AllocationFailed": "Desired number of dedicated nodes could not be allocated",
    "AllocationTimedout": (
        "Desired number of dedicated nodes could not be allocated as the resize timeout was reached"
    ),
}
_EXPIRED: Final = TransferFault(trouble="denied", reason="AuthenticationFailed", status=403)
_STATUS: Final = {"not_found": 404, "denied": 403, "conflict": 409}


class FaultInterference:
    """Asks the lab at each of the places; implements `Interference`.

    Args:
        lab: with the rules.
    """

    def __init__(self, lab: FaultLab) -> None:
        self._lab = lab
        self._mishaps: Mishaps | None = None

    def attach(self, mishaps: Mishaps) -> None:
        """Learn how to let something happen to a machine.

        Args:
            mishaps: of the account.
        """
        self._mishaps = mishaps

    async def around(self, call: Call, answer: Answer) -> Reply:
        """Answer a request, by its handler or otherwise.

        Args:
            call: in order.
            answer: its handler.
        """
        if not self._lab.listens(call.operation):
            return await answer(call)
        found = self._lab.consult(occasion_of(call))
        if found is None:
            return await answer(call)
        fault, rule = found
        log.info("fault.fired", rule=rule.name, on=call.operation, request_id=call.request_id)
        return await meet(fault, rule, call, answer)

    def allocation(self, pool: PoolRuntime) -> tuple[int, Mapping[str, Any]] | None:
        """Tell how a resize that begins will fail.

        Args:
            pool: that needs nodes.

        Returns:
            How many nodes it adds all the same, and the error.
        """
        fault = self._consult(ALLOCATE, pool=pool.record.id)
        if not isinstance(fault, FailAllocation):
            return None
        message = _RESIZE_MESSAGES.get(fault.code, f"{fault.code}, as the fault lab was told to say")
        return fault.nodes, {"code": fault.code, "message": message}

    def boot(self, machine: Machine) -> bool:
        """Tell whether a node that boots becomes unusable.

        Args:
            machine: starting.
        """
        return isinstance(self._consult(BOOT_NODE, machine=machine), UnusableNode)

    def execution(self, machine: Machine, execution: Execution) -> Execution:
        """Change what a node is told to run, or let something happen to the node meanwhile.

        Args:
            machine: that is to run it.
            execution: as it should be.
        """
        simulated = is_simulated(machine.pool.record.spec)
        job = execution.environment.get("AZ_BATCH_JOB_ID", "")
        task = execution.environment.get("AZ_BATCH_TASK_ID", "")
        if execution.directory == STARTUP:
            fault = self._consult(START_TASK, machine=machine)
            if isinstance(fault, FailStartTask):
                end = f"simulate --exit-code {fault.exit_code}"
                real = f"/bin/sh -c 'exit {fault.exit_code}'"
                execution = dataclasses.replace(execution, command_line=end if simulated else real)
        else:
            self._let_happen(self._consult(RUN_TASK, machine=machine, job=job, task=task), machine)
        if simulated:
            return execution
        if execution.resource_files:
            fault = self._consult(BLOB_DOWNLOAD, machine=machine, job=job, task=task)
            execution = dataclasses.replace(execution, download_fault=_transfer(fault))
        if execution.output_files:
            fault = self._consult(BLOB_UPLOAD, machine=machine, job=job, task=task)
            execution = dataclasses.replace(execution, upload_fault=_transfer(fault))
        return execution

    def lingering(self, *, pool: str = "", job: str = "") -> float:
        """Tell how many seconds longer a pool or job that is being deleted stays.

        Args:
            pool: id, or nothing.
            job: id, or nothing.
        """
        fault = self._consult(POOL_DELETION if pool else JOB_DELETION, pool=pool, job=job)
        return fault.seconds if isinstance(fault, Linger) else 0.0

    def _let_happen(self, fault: Fault | None, machine: Machine) -> None:
        if self._mishaps is None:
            return
        match fault:
            case LoseNode():
                self._mishaps.later(fault.seconds, machine, "lose")
            case PreemptNode():
                self._mishaps.later(fault.seconds, machine, "preempt", fault.away)
            case UnusableNode():
                self._mishaps.later(fault.seconds, machine, "unusable")
            case _:
                pass

    def _consult(
        self, name: str, *, machine: Machine | None = None, pool: str = "", job: str = "", task: str = ""
    ) -> Fault | None:
        if not self._lab.listens(name):
            return None
        occasion = Occasion(
            name=name,
            pool=machine.record.pool_id if machine is not None else pool,
            job=job,
            tasks=(task,) if task else (),
            node=machine.record.id if machine is not None else "",
            node_number=node_number(machine.record) if machine is not None else None,
            low_priority=machine is not None and not machine.record.dedicated,
        )
        found = self._lab.consult(occasion)
        if found is None:
            return None
        fault, rule = found
        log.info("fault.fired", rule=rule.name, on=name, pool=occasion.pool, job=job, task=task)
        return fault


def _transfer(fault: Fault | None) -> TransferFault | None:
    match fault:
        case ExpiredSas():
            return _EXPIRED
        case FailTransfer():
            return TransferFault(
                trouble=fault.trouble.value,
                reason="the fault lab was told so",
                status=_STATUS.get(fault.trouble.value),
            )
        case _:
            return None
