"""Whether a policy deletes a thing: pure."""

from __future__ import annotations

import enum

from orchestrator.spec.job import CleanupWhen
from orchestrator.states import RunOutcome


class Decision(enum.Enum):
    """What a policy says of a thing."""

    DELETE = "delete"
    KEEP = "keep"
    ASK = "ask"


def decide(policy: CleanupWhen, outcome: RunOutcome, *, asked: bool | None, terminal: bool) -> Decision:
    """Apply a policy.

    Args:
        policy: of the kind of thing.
        outcome: how the run ended.
        asked: the answer, None if nobody has been asked.
        terminal: whether there is somebody to ask; without, `ask` means `on_success`.

    Returns:
        What to do; `ASK` only if there is somebody to ask who has not answered.
    """
    if policy is CleanupWhen.ASK and terminal:
        if asked is None:
            return Decision.ASK
        return Decision.DELETE if asked else Decision.KEEP
    if policy is CleanupWhen.ALWAYS:
        return Decision.DELETE
    if policy is CleanupWhen.NEVER:
        return Decision.KEEP
    return Decision.DELETE if outcome is RunOutcome.SUCCEEDED else Decision.KEEP


def kept_because(policy: CleanupWhen, *, terminal: bool) -> str:
    """Why a thing was kept that `decide` says to keep."""
    if policy is CleanupWhen.NEVER:
        return "its policy is never"
    if policy is CleanupWhen.ASK and terminal:
        return "the answer was no"
    asked = " (nobody can be asked without a terminal)" if policy is CleanupWhen.ASK else ""
    return f"its policy is {policy.value}{asked} and the run did not succeed"
