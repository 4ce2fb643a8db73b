from __future__ import annotations

import asyncio
import threading

import pytest

from orchestrator.local.faults import FaultLab, FaultScriptError, parse_script
from orchestrator.local.faults.decision import Occasion, Progress

CALL = Occasion(name="list_jobs")
REFUSE = {"fault": {"kind": "refuse"}, "on": ["list_jobs"]}


def test_a_lab_without_rules_listens_to_nothing() -> None:
    lab = FaultLab()
    assert not lab.listens("list_jobs")
    assert lab.consult(CALL) is None


def test_what_happens_is_counted_and_can_be_read_after_the_rule_is_gone() -> None:
    lab = FaultLab()
    name = lab.add({**REFUSE, "count": 1})
    assert [lab.consult(CALL) is not None for _ in range(3)] == [True, False, False]
    assert lab.remove(name)
    assert not lab.remove(name)
    assert lab.progress(name) == Progress(3, 1)
    assert lab.fired(name) == 1
    (firing,) = lab.firings
    assert (firing.rule, firing.occasion) == (name, CALL)
    assert not lab.listens("list_jobs")


def test_names_that_nobody_gave_differ_and_a_taken_one_is_refused() -> None:
    lab = FaultLab()
    assert lab.add(REFUSE) != lab.add(REFUSE)
    lab.add({**REFUSE, "name": "mine"})
    with pytest.raises(FaultScriptError, match="mine"):
        lab.add({**REFUSE, "name": "mine"})


def test_a_rule_that_comes_again_counts_from_the_beginning() -> None:
    lab = FaultLab()
    lab.add({**REFUSE, "name": "mine", "count": 1})
    lab.consult(CALL)
    lab.remove("mine")
    lab.add({**REFUSE, "name": "mine", "count": 1})
    assert lab.consult(CALL) is not None


def test_a_script_replaces_everything_or_nothing() -> None:
    lab = FaultLab(parse_script(b'{"rules": [{"name": "one", "fault": {"kind": "refuse"}}]}'))
    lab.consult(CALL)
    with pytest.raises(FaultScriptError):
        lab.replace(parse_script(b'{"rules": [{"fault": {"kind": "refuse", "status": 1}}]}'))
    assert lab.fired("one") == 1
    lab.clear()
    assert (lab.rules, lab.firings, lab.fired("one")) == ((), (), 0)


async def test_waiting_ends_when_it_has_happened_often_enough() -> None:
    lab = FaultLab()
    lab.add({**REFUSE, "name": "two"})
    waiting = asyncio.create_task(lab.wait_fired("two", 2, timeout=10))
    lab.consult(CALL)
    await asyncio.sleep(0)
    assert not waiting.done()
    threading.Thread(target=lab.consult, args=(CALL,)).start()
    await waiting
    await lab.wait_fired("two", 2, timeout=10)


async def test_waiting_has_a_limit_and_tells_what_happened_instead() -> None:
    lab = FaultLab()
    lab.add({**REFUSE, "name": "never", "after": 5})
    lab.consult(CALL)
    with pytest.raises(TimeoutError, match=r"'never' happened 0 of 1 times .* \(1 matching"):
        await lab.wait_fired("never", timeout=0.01)


def test_a_thread_without_a_loop_can_wait_too() -> None:
    lab = FaultLab()
    lab.add({**REFUSE, "name": "one"})
    with pytest.raises(TimeoutError):
        lab.wait_fired_blocking("one", timeout=0.01)
    threading.Thread(target=lab.consult, args=(CALL,)).start()
    lab.wait_fired_blocking("one", timeout=10)
