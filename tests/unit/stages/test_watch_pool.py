"""How soon a pool is looked at again."""

from __future__ import annotations

from orchestrator.limits import Limits
from orchestrator.stages.watch_pool import next_pause

LIMITS = Limits(pool_poll_interval=2.0)


def test_a_pool_that_stays_as_it_is_is_looked_at_less_and_less_often() -> None:
    pause = 2.0
    seen = [pause := next_pause(pause, changed=False, limits=LIMITS) for _ in range(10)]
    assert seen[:2] == [3.0, 4.5]
    assert seen[-1] == 16.0


def test_one_that_changes_is_looked_at_soon() -> None:
    assert next_pause(16.0, changed=True, limits=LIMITS) == 2.0
