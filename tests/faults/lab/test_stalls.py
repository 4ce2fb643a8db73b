"""When nothing moves, the run says why, once, and helps itself where it may."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import anyio
import anyio.to_thread
import pytest

from orchestrator import (
    Event,
    JobRun,
    NodeRebooted,
    NodeRemoved,
    Orchestrator,
    PoolResizeRetried,
    RunOutcome,
    RunStalled,
    StallCode,
    StartTaskError,
    TimeLimitError,
)
from orchestrator.local.faults import FaultLab
from orchestrator.local.in_thread import LocalServiceThread
from tests.faults.lab.conftest import Make, Open

TRUE = [{"id": "t", "command_line": "true"}]
TWO_SLOTS = [{"id": "t", "command_line": "true", "rest": {"requiredSlots": 9}}]
DEPENDS = [
    {"id": "first", "command_line": "exit 1"},
    {"id": "second", "command_line": "true", "rest": {"dependsOn": {"taskIds": ["first"]}}},
]
MISSING = [{"id": "t", "command_line": "true", "rest": {"dependsOn": {"taskIds": ["nobody"]}}}]
CHAINED = {"usesTaskDependencies": True}
QUOTA = {"fault": {"kind": "fail_allocation", "code": "AccountCoreQuotaReached"}}
UNUSABLE = {"fault": {"kind": "unusable_node"}, "on": ["boot_node"]}
AUTOSCALED = {
    "target_dedicated_nodes": 0,
    "rest": {"enableAutoScale": True, "autoScaleFormula": "$TargetDedicatedNodes = 0;"},
}
NEVER = {"commands": ["exit 7"]}


async def stalled(orchestrator: Orchestrator, run: JobRun) -> RunStalled:
    with anyio.fail_after(30):
        event = await anext(run.events(RunStalled))
    assert isinstance(event, RunStalled)
    return event


@pytest.mark.parametrize(
    ("case", "code"),
    [
        (({"tasks": TRUE}, [QUOTA]), StallCode.QUOTA),
        (({"tasks": TRUE, "pool": AUTOSCALED}, []), StallCode.NO_NODES_WANTED),
        (({"tasks": TWO_SLOTS}, []), StallCode.SLOTS_TOO_LARGE),
        (({"tasks": DEPENDS, "rest": CHAINED}, []), StallCode.DEPENDENCY_BLOCKED),
        (({"tasks": MISSING, "rest": CHAINED}, []), StallCode.DEPENDENCY_MISSING),
        (({"tasks": TRUE, "preparation": NEVER}, []), StallCode.PREPARATION_FAILED),
        (({"tasks": TRUE}, [UNUSABLE]), StallCode.NODE_UNUSABLE),
    ],
    ids=lambda value: str(value) if isinstance(value, StallCode) else "",
)
async def test_a_run_that_does_not_get_on_says_why(
    open_orchestrator: Open,
    make_job: Make,
    lab: FaultLab,
    case: tuple[dict[str, Any], list[dict[str, Any]]],
    code: StallCode,
) -> None:
    job, rules = case
    for rule in rules:
        lab.add(rule)
    async with open_orchestrator(node_grace=100) as orchestrator:
        run = await orchestrator.submit(make_job(**job))
        event = await stalled(orchestrator, run)
        run.cancel()
        result = await run.wait()
    reasons = {reason.code: reason for reason in event.reasons}
    assert code in reasons
    assert reasons[code].remedy
    assert result.leftovers == ()


async def test_the_same_reasons_are_told_once_and_again_in_the_time_limits_error(
    open_orchestrator: Open, make_job: Make, lab: FaultLab
) -> None:
    lab.add(QUOTA)
    told: list[RunStalled] = []
    async with open_orchestrator() as orchestrator:
        orchestrator.on(RunStalled, told.append)
        run = await orchestrator.submit(make_job(tasks=TRUE, timeout="4s"))
        result = await run.wait()
    assert result.outcome is RunOutcome.TIMED_OUT
    assert len(told) == 1
    assert isinstance(run.error, TimeLimitError)
    assert {reason.text for reason in told[0].reasons} <= set(run.error.reasons)
    assert "AccountCoreQuotaReached" in str(run.error)


async def test_a_long_task_is_no_standstill(open_orchestrator: Open, make_job: Make) -> None:
    told: list[RunStalled] = []
    async with open_orchestrator() as orchestrator:
        orchestrator.on(RunStalled, told.append)
        run = await orchestrator.submit(make_job(tasks=[{"id": "t", "command_line": "sleep 4"}]))
        assert (await run.wait()).outcome is RunOutcome.SUCCEEDED
    assert told == []


async def test_another_process_explains_a_run_under_way_with_its_remedy(
    open_orchestrator: Open, make_job: Make, azure_batch_local: LocalServiceThread
) -> None:
    def explain(*arguments: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AZURE_")}
        return subprocess.run(
            [sys.executable, "-m", "orchestrator", "explain", *arguments],
            env={**clean, **azure_batch_local.settings.as_environment()},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    async with open_orchestrator() as orchestrator:
        run = await orchestrator.submit(make_job(tasks=TWO_SLOTS))
        await stalled(orchestrator, run)
        for name in (run.run_id, run.job_id):
            told = await anyio.to_thread.run_sync(explain, name)
            assert (told.returncode, told.stderr) == (0, "")
            assert "slots_too_large: tasks need up to 9 slots" in told.stdout
            assert "give the tasks fewer required_slots" in told.stdout
        told = await anyio.to_thread.run_sync(explain, run.run_id, "--output", "json")
        read = json.loads(told.stdout)
        assert (read["job"], read["active"]) == (run.job_id, 1)
        assert [reason["code"] for reason in read["reasons"]] == ["slots_too_large"]
        unknown = await anyio.to_thread.run_sync(explain, "nobody")
        assert unknown.returncode == 2
        assert "no job nobody" in unknown.stderr
        run.cancel()
        await run.wait()


async def helped(orchestrator: Orchestrator, run: JobRun, events: list[Event]) -> RunOutcome:
    with anyio.fail_after(60):
        result = await run.wait()
    assert result.leftovers == ()
    return result.outcome


async def test_nodes_that_did_not_come_are_asked_for_again(
    open_orchestrator: Open, make_job: Make, lab: FaultLab
) -> None:
    lab.add({"fault": {"kind": "fail_allocation", "code": "AllocationTimedout"}, "count": 1})
    events: list[Event] = []
    async with open_orchestrator() as orchestrator:
        orchestrator.on(PoolResizeRetried, events.append)
        run = await orchestrator.submit(make_job(tasks=TRUE))
        assert await helped(orchestrator, run, events) is RunOutcome.SUCCEEDED
    assert [event.attempt for event in events if isinstance(event, PoolResizeRetried)] == [1]


async def test_a_node_that_becomes_unusable_is_rebooted_and_runs_the_tasks(
    open_orchestrator: Open, make_job: Make, lab: FaultLab
) -> None:
    lab.add({"fault": {"kind": "unusable_node"}, "on": ["run_task"], "count": 1})
    events: list[Event] = []
    async with open_orchestrator() as orchestrator:
        orchestrator.on(NodeRebooted, events.append)
        run = await orchestrator.submit(make_job(tasks=TRUE))
        assert await helped(orchestrator, run, events) is RunOutcome.SUCCEEDED
    assert len(events) == 1


async def test_a_node_that_stays_unusable_is_replaced(
    open_orchestrator: Open, make_job: Make, lab: FaultLab
) -> None:
    lab.add({"fault": {"kind": "unusable_node"}, "on": ["boot_node"], "count": 2})
    events: list[Event] = []
    async with open_orchestrator() as orchestrator:
        orchestrator.on(NodeRemoved, events.append)
        run = await orchestrator.submit(make_job(tasks=TRUE))
        assert await helped(orchestrator, run, events) is RunOutcome.SUCCEEDED
    assert len(events) == 1


async def test_a_start_task_that_fails_once_is_run_again(
    open_orchestrator: Open, make_job: Make, lab: FaultLab
) -> None:
    lab.add({"fault": {"kind": "fail_start_task"}, "count": 2})
    start = {"start_task": {"commands": ["true"], "max_task_retry_count": 1}}
    async with open_orchestrator() as orchestrator:
        run = await orchestrator.submit(make_job(tasks=TRUE, pool=start))
        assert await helped(orchestrator, run, []) is RunOutcome.SUCCEEDED


async def test_a_start_task_that_fails_again_on_every_node_ends_the_run_with_its_name(
    open_orchestrator: Open, make_job: Make
) -> None:
    start = {"start_task": {"commands": ["exit 9"], "max_task_retry_count": 0}}
    events: list[Event] = []
    async with open_orchestrator() as orchestrator:
        orchestrator.on(NodeRebooted, events.append)
        run = await orchestrator.submit(make_job(tasks=TRUE, pool=start))
        assert await helped(orchestrator, run, events) is RunOutcome.ERROR
    assert isinstance(run.error, StartTaskError)
    assert "exit code 9" in str(run.error)
    assert len(events) == 1
