"""What a command leaves running ends with it, however it hides."""

from __future__ import annotations

import asyncio

import pytest

from tests.conformance.local_node.conftest import Bench
from tests.conformance.waiting import alive, descendants, written_pid

HIDERS = {
    "same group": "sleep 600 & echo $! > pid",
    "own group": "set -m; sleep 600 & echo $! > pid",
    "own session": "setsid sh -c 'echo $$ > pid; exec sleep 600' &",
    "forked twice in an own session": "(setsid sh -c 'echo $$ > pid; exec sleep 600' &) &",
    "own session, no environment": "(setsid env -i /bin/sh -c 'echo $$ > pid; exec sleep 600' &) &",
    "a family in an own session": "(setsid sh -c 'sh -c \"sleep 600; :\" & echo $$ > pid; wait' &) &",
    "deaf to signals": "(setsid sh -c 'trap \"\" TERM HUP; echo $$ > pid; while :; do sleep 1; done' &) &",
}


@pytest.mark.parametrize("hider", HIDERS)
async def test_nothing_outlives_its_command(bench: Bench, hider: str) -> None:
    wait = "while ! [ -s pid ]; do sleep 0.01; done"
    script = bench.node.root / "shared" / "script"
    script.write_text(f"{HIDERS[hider]}\n{wait}\nexit 5\n")
    outcome = await bench.run(f"bash {script}")
    assert outcome.exit_code == 5
    assert not alive(int(bench.text("wd/pid")))
    assert descendants(bench.node.pid) == set()


async def test_another_tasks_processes_are_left_alone(bench: Bench) -> None:
    hide = "setsid sh -c 'echo $$ > pid; exec sleep 600' & wait"
    script = bench.node.root / "shared" / "script"
    script.write_text(hide)
    other = asyncio.ensure_future(bench.run(f"sh {script}", task="other", execution_id="other"))
    pid = await written_pid(bench.folder("other") / "wd" / "pid")
    await bench.run(
        "bash -c '(setsid sh -c \"echo \\$\\$ > pid; exec sleep 600\" &) & while ! [ -s pid ]; do :; done'"
    )
    assert not alive(int(bench.text("wd/pid")))
    assert alive(pid)
    await bench.node.kill("other", code="TaskEnded", message="over")
    await other
    assert not alive(pid)


async def test_a_hider_without_a_trace_ends_with_the_last_command_at_the_latest(bench: Bench) -> None:
    other = asyncio.ensure_future(
        bench.run("sh -c 'echo $$ > pid; exec sleep 600'", task="other", execution_id="other")
    )
    await written_pid(bench.folder("other") / "wd" / "pid")
    script = bench.node.root / "shared" / "script"
    hide = f"(cd /; setsid env -i /bin/sh -c 'echo $$ > {bench.folder()}/wd/pid; exec sleep 600' &) &"
    script.write_text(f"{hide}\nwhile ! [ -s pid ]; do sleep 0.01; done")
    await bench.run(f"bash {script}")
    hidden = int(bench.text("wd/pid"))
    await bench.node.kill("other", code="TaskEnded", message="over")
    await other
    assert not alive(hidden)
