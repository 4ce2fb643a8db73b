"""Whether a fault happens now: decided by the rule, by how often it was asked, and by a seed. Pure.

The chance of a rule's nth occasion follows from seed, name and n alone: whatever other rules there are, and
in whatever order requests of other kinds come, the same occasions are hit again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from orchestrator.local.faults.kinds import Fault, PreemptNode
from orchestrator.local.faults.rule import Match, Rule

_BYTES: Final = 7
_STEPS: Final = 1 << (8 * _BYTES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Occasion:
    """Something that may go wrong.

    Args:
        name: of the operation or happening.
        pool: id, where it is known.
        job: likewise.
        tasks: likewise; several in a collection.
        node: likewise.
        node_number: in its pool.
        low_priority: whether the node is.
    """

    name: str
    pool: str = ""
    job: str = ""
    tasks: tuple[str, ...] = ()
    node: str = ""
    node_number: int | None = None
    low_priority: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rule is.

    Args:
        seen: matching occasions.
        fired: those on which it happened.
    """

    seen: int = 0
    fired: int = 0


UNTOUCHED: Final = Progress()


def decide(rule: Rule, progress: Progress, occasion: Occasion) -> tuple[Progress, Fault | None]:
    """Decide for one rule.

    Args:
        rule: with its name and seed.
        progress: of the rule so far.
        occasion: that comes up.

    Returns:
        The progress from here on, and the fault if it happens.
    """
    if not matches(rule, occasion):
        return progress, None
    number = progress.seen
    due = number >= rule.after and (rule.count is None or progress.fired < rule.count)
    if due and (rule.probability >= 1 or chance(rule.seed or 0, rule.name, number) < rule.probability):
        return Progress(number + 1, progress.fired + 1), rule.fault
    return Progress(number + 1, progress.fired), None


def choose(
    rules: Sequence[Rule], progress: Mapping[str, Progress], occasion: Occasion
) -> tuple[dict[str, Progress], Rule | None]:
    """Decide among rules: the first that wants to has its way, the others have only seen it.

    Args:
        rules: in order.
        progress: by name; none for a rule that has seen nothing.
        occasion: that comes up.

    Returns:
        What changed in the progress, and the rule whose fault happens.
    """
    changed: dict[str, Progress] = {}
    chosen: Rule | None = None
    for rule in rules:
        before = progress.get(rule.name, UNTOUCHED)
        after, fault = decide(rule, before, occasion)
        if fault is not None and chosen is not None:
            after = Progress(after.seen, before.fired)
        elif fault is not None:
            chosen = rule
        if after != before:
            changed[rule.name] = after
    return changed, chosen


def matches(rule: Rule, occasion: Occasion) -> bool:
    """Tell whether an occasion is a rule's business.

    Args:
        rule: any.
        occasion: that comes up.
    """
    if not rule.looks_at(occasion.name):
        return False
    if isinstance(rule.fault, PreemptNode) and not occasion.low_priority:
        return False
    match = rule.match
    return (
        _fits(match.pool, occasion.pool)
        and _fits(match.job, occasion.job)
        and (match.task == "*" or any(task_matches(match, task) for task in occasion.tasks))
        and _fits(match.node, occasion.node)
        and match.node_number in (None, occasion.node_number)
    )


def task_matches(match: Match, task: str) -> bool:
    """Tell whether a task is meant.

    Args:
        match: of a rule.
        task: id.
    """
    return _fits(match.task, task)


def chance(seed: int, name: str, number: int) -> float:
    """Draw a number from 0 to below 1, the same one every time.

    Args:
        seed: of the rule.
        name: of the rule.
        number: of the occasion.
    """
    digest = hashlib.blake2b(f"{seed}/{name}/{number}".encode(), digest_size=_BYTES).digest()
    return int.from_bytes(digest) / _STEPS


def _fits(pattern: str, name: str) -> bool:
    return pattern == "*" or fnmatchcase(name.lower(), pattern.lower())
