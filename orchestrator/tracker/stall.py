"""Why nothing moves: from what is known of pool, nodes, job and tasks to reasons and remedies. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from orchestrator.states import (
    FailureInfo,
    JobSnapshot,
    JobState,
    NodeSnapshot,
    PoolSnapshot,
    PreparationSnapshot,
    StallCode,
    StallReason,
    SupportedImage,
    TaskSnapshot,
    TaskState,
    WaitingTask,
)
from orchestrator.tracker.failure_class import access_denied
from orchestrator.tracker.pool_trouble import WORKING, told_failure

_NAMED: Final = 3
_REMEDIES: Final = {
    StallCode.OUTAGE: "check the endpoint and the network; the run goes on by itself once it answers",
    StallCode.JOB_DISABLED: "enable the job",
    StallCode.JOB_ENDED: "run the job again: an ended job can't be continued",
    StallCode.IMAGE_RETIRED: "take an image that the service supports: name another sku in pool.image",
    StallCode.SLOTS_TOO_LARGE: "give the tasks fewer required_slots, or the pool more task_slots_per_node",
    StallCode.DEPENDENCY_BLOCKED: "reactivate the failed task, or give it exitConditions that satisfy",
    StallCode.DEPENDENCY_MISSING: "add the task that is depended on, or terminate the waiting one",
    StallCode.PREPARATION_FAILED: (
        "read jobpreparation/stderr.txt on the node and correct [job.preparation]: the node gets no task of "
        "the job until it is reimaged or replaced"
    ),
    StallCode.SAS_EXPIRED: "the job's signed addresses are refused: run it again, which signs new ones",
    StallCode.UNEXPLAINED: "look at the pool's nodes and at the job in the Azure portal",
}


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when nothing moves; whatever is not known is left out.

    Args:
        trouble: what `PoolTracker.stall_reasons` tells.
        pool: None if it was not looked at, or is missing.
        nodes: of the pool.
        job: of the run.
        waiting: some of the tasks that wait.
        depended: the tasks that those depend on; None for one that does not exist.
        preparations: how the job's preparation task went on nodes.
        images: what the service supports; empty if it was not asked.
        failures: of tasks that ended, each as often as it was met.
        unfinished: how many tasks have not ended.
        running: how many of them run.
        outage: why looks at the service fail, and since when.
        now: for what is over by date.
    """

    trouble: tuple[StallReason, ...] = ()
    pool: PoolSnapshot | None = None
    nodes: tuple[NodeSnapshot, ...] = ()
    job: JobSnapshot | None = None
    waiting: tuple[WaitingTask, ...] = ()
    depended: Mapping[str, TaskSnapshot | None] = {}
    preparations: tuple[PreparationSnapshot, ...] = ()
    images: tuple[SupportedImage, ...] = ()
    failures: Mapping[FailureInfo, int] = {}
    unfinished: int = 0
    running: int = 0
    outage: str | None = None
    now: datetime | None = None


def stall_reasons(picture: Picture) -> tuple[StallReason, ...]:
    """Why nothing moves, what stops everything first.

    Args:
        picture: what is known.

    Returns:
        The reasons; empty where tasks run or none is left, and nothing is known to be wrong.
    """
    reasons: list[StallReason] = []
    if picture.outage is not None:
        reasons.append(_reason(StallCode.OUTAGE, picture.outage))
    if picture.job is not None:
        reasons.extend(_job_reasons(picture.job))
    reasons.extend(_pool_reasons(picture))
    reasons.extend(_preparation_reasons(picture))
    reasons.extend(_task_reasons(picture))
    if not reasons and picture.unfinished and not picture.running:
        told = f"{_count(picture.unfinished, 'task')} not ended, none running, nothing known to be wrong"
        reasons.append(_reason(StallCode.UNEXPLAINED, told))
    return tuple(reasons)


def _job_reasons(job: JobSnapshot) -> list[StallReason]:
    if job.state in {JobState.DISABLED, JobState.DISABLING}:
        return [_reason(StallCode.JOB_DISABLED, f"job {job.id} is {job.state}: none of its tasks is started")]
    if job.state in {JobState.TERMINATING, JobState.COMPLETED, JobState.DELETING}:
        why = told_failure(job.failure) if job.failure else job.terminate_reason or "no reason given"
        return [_reason(StallCode.JOB_ENDED, f"job {job.id} is {job.state} ({why})")]
    return []


def _pool_reasons(picture: Picture) -> list[StallReason]:
    reasons = list(picture.trouble)
    works = any(node.state in WORKING for node in picture.nodes)
    if picture.pool is not None and not works:
        retired = _image_retired(picture.pool, picture.images, picture.now)
        reasons.extend([retired] if retired else [])
    return reasons


def _image_retired(
    pool: PoolSnapshot, images: tuple[SupportedImage, ...], now: datetime | None
) -> StallReason | None:
    configuration = pool.body.get("virtualMachineConfiguration")
    wanted = configuration.get("imageReference") if isinstance(configuration, dict) else None
    if not images or not isinstance(wanted, dict) or not wanted.get("sku"):
        return None
    name = tuple(str(wanted.get(part, "")).lower() for part in ("publisher", "offer", "sku"))
    same = [
        image for image in images if (image.publisher.lower(), image.offer.lower(), image.sku.lower()) == name
    ]
    told = f"the image {' '.join(name)} of pool {pool.id}"
    if not same:
        return _reason(StallCode.IMAGE_RETIRED, f"{told} is not supported (any more)")
    ends = [image.end_of_life for image in same]
    if now is not None and all(end is not None and end <= now for end in ends):
        return _reason(StallCode.IMAGE_RETIRED, f"support for {told} has ended")
    return None


def _preparation_reasons(picture: Picture) -> list[StallReason]:
    failed = [each for each in picture.preparations if each.succeeded is False]
    if not failed:
        return []
    first = failed[0]
    how = "its command never ran" if first.exit_code is None else f"with exit code {first.exit_code}"
    why = f" ({told_failure(first.failure)})" if first.failure else ""
    told = (
        f"the job's preparation task failed on {_count(len(failed), 'node')} "
        f"({_names([each.node_id for each in failed])}), {how}{why}"
    )
    denied = any(access_denied(each.failure) for each in failed)
    return [_reason(StallCode.SAS_EXPIRED if denied else StallCode.PREPARATION_FAILED, told)]


def _task_reasons(picture: Picture) -> list[StallReason]:
    reasons = []
    pool = picture.pool
    slots = pool.task_slots_per_node if pool else 0
    large = [task for task in picture.waiting if pool and task.required_slots > slots]
    if pool and large:
        most = max(task.required_slots for task in large)
        told = f"tasks need up to {most} slots and a node of pool {pool.id} has {slots}"
        reasons.append(_reason(StallCode.SLOTS_TOO_LARGE, f"{told} ({_names([task.id for task in large])})"))
    blocked: dict[str, list[str]] = {}
    missing: dict[str, list[str]] = {}
    for task in picture.waiting:
        for needed in task.depends_on:
            if needed not in picture.depended:
                continue
            found = picture.depended[needed]
            if found is None:
                missing.setdefault(needed, []).append(task.id)
            elif found.state is TaskState.COMPLETED and found.succeeded is False:
                blocked.setdefault(needed, []).append(task.id)
    reasons.extend(
        _reason(StallCode.DEPENDENCY_BLOCKED, f"task {needed} failed, and {_names(ids)} depend on it")
        for needed, ids in blocked.items()
    )
    reasons.extend(
        _reason(StallCode.DEPENDENCY_MISSING, f"there is no task {needed}, and {_names(ids)} depend on it")
        for needed, ids in missing.items()
    )
    denied: Counter[str] = Counter()
    for failure, times in picture.failures.items():
        if access_denied(failure):
            denied[failure.code] += times
    reasons.extend(
        _reason(StallCode.SAS_EXPIRED, f"storage refused what {_count(times, 'task')} asked for ({code})")
        for code, times in denied.items()
    )
    return reasons


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _names(ids: list[str]) -> str:
    return ", ".join(ids[:_NAMED]) + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")


def _reason(code: StallCode, text: str) -> StallReason:
    return StallReason(code=code, text=text, remedy=_REMEDIES.get(code, ""))
