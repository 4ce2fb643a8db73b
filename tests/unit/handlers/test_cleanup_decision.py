"""What a policy means for one thing."""

from __future__ import annotations

from itertools import product

import pytest

from orchestrator.handlers.cleanup_decision import Decision, decide
from orchestrator.spec.job import CleanupWhen
from orchestrator.states import RunOutcome


@pytest.mark.parametrize(
    ("policy", "outcome", "asked", "terminal"),
    list(product(CleanupWhen, RunOutcome, [None, True, False], [True, False])),
)
def test_every_decision_follows_from_the_policy(
    policy: CleanupWhen, outcome: RunOutcome, asked: bool | None, terminal: bool
) -> None:
    decision = decide(policy, outcome, asked=asked, terminal=terminal)
    success = outcome is RunOutcome.SUCCEEDED
    if policy is CleanupWhen.ASK and terminal:
        expected = {None: Decision.ASK, True: Decision.DELETE, False: Decision.KEEP}[asked]
    else:
        deletes = {
            CleanupWhen.NEVER: False,
            CleanupWhen.ALWAYS: True,
            CleanupWhen.ON_SUCCESS: success,
            CleanupWhen.ASK: success,
        }[policy]
        expected = Decision.DELETE if deletes else Decision.KEEP
    assert decision is expected
