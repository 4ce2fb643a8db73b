"""What to do about a pool that did not get its nodes, and about nodes of no use: pure decisions."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

import msgspec

from orchestrator.limits import Limits
from orchestrator.states import AllocationState, NodeSnapshot, NodeState, PoolSnapshot, PoolState
from orchestrator.tracker.pool_trouble import is_quota, scales_itself, told_failure

_OF_NO_USE: Final = frozenset({NodeState.UNUSABLE, NodeState.START_TASK_FAILED})
# ResizeStopped is somebody's will, and what a quota forbids it forbids again.
_FOR_GOOD: Final = frozenset({"resizestopped", "removenodesfailed"})


class RemedyKind(enum.Enum):
    """What is done."""

    RESIZE = "resize"
    REBOOT = "reboot"
    REMOVE = "remove"


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do.

    Args:
        kind: what.
        reason: why, for people.
        node_id: which node to reboot or to remove.
        dedicated: the target to ask for, of the dedicated kind.
        low_priority: the target to ask for, spot nodes.
        attempt: of a resize, from 1; 0 for one that only puts back what was removed.
        formula: of a pool that scales itself as a last net: it is evaluated anew in place of a resize.
        interval: at which that is evaluated, ISO 8601.
    """

    kind: RemedyKind
    reason: str
    node_id: str = ""
    dedicated: int = 0
    low_priority: int = 0
    attempt: int = 0
    formula: str = ""
    interval: str = ""


class Remedies:
    """Decides from looks at one pool what to do about it, each thing at most as often as the limits say.

    A pool that scales itself, but for the last net of `spec/marks.py`, and one that is being resized, is left
    alone. A node that runs tasks is never
    touched. A node of no use gets time to recover, since the service tries that too; then it is rebooted,
    once, and removed if that did not help, so that another one can be asked for in its place.

    Args:
        limits: `pool_nudges`, `nudge_backoff`, `node_grace` and `node_replacements` count.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._nudges = 0
        self._not_before = 0.0
        self._bad_since: dict[str, float] = {}
        self._rebooted: set[str] = set()
        self._removed: dict[str, bool] = {}
        self._owed = {True: 0, False: 0}

    def decide(self, pool: PoolSnapshot, nodes: Sequence[NodeSnapshot], now: float) -> tuple[Remedy, ...]:
        """What to do now.

        Args:
            pool: as the service describes it.
            nodes: all of it.
            now: of a clock that only goes forward, in seconds.

        Returns:
            The remedies, to be carried out and told to `done` or `refused`.
        """
        self._note(nodes, now)
        if pool.state is not PoolState.ACTIVE or scales_itself(pool):
            return ()
        steady = pool.allocation_state is AllocationState.STEADY
        if steady and (resize := self._resize(pool, now)):
            return (resize,)
        return tuple(self._for_nodes(nodes, now, steady=steady))

    def hopes(self, nodes: Sequence[NodeSnapshot]) -> bool:
        """Whether a reboot may still bring one of the nodes back.

        Args:
            nodes: all of the pool, each of no use.
        """
        return any(node.id not in self._rebooted for node in nodes)

    def done(self, remedy: Remedy, nodes: Sequence[NodeSnapshot], now: float) -> None:
        """Note that a remedy was carried out.

        Args:
            remedy: which.
            nodes: as they were when it was decided.
            now: as for `decide`.
        """
        match remedy.kind:
            case RemedyKind.RESIZE:
                self._owed = {True: 0, False: 0}
                if remedy.attempt:
                    self._tried(now)
            case RemedyKind.REBOOT:
                self._rebooted.add(remedy.node_id)
                self._bad_since.pop(remedy.node_id, None)
            case RemedyKind.REMOVE:
                dedicated = next((node.dedicated for node in nodes if node.id == remedy.node_id), True)
                self._removed[remedy.node_id] = dedicated
                self._owed[dedicated] += 1

    def refused(self, remedy: Remedy, now: float) -> None:
        """Note that the service does not do it: it is not asked for the same thing at once again.

        Args:
            remedy: which.
            now: as for `decide`.
        """
        match remedy.kind:
            case RemedyKind.RESIZE:
                # A formula may be given once in 30 s (REST: Pool - Enable Auto Scale).
                self._not_before = now + self._limits.nudge_backoff
            case RemedyKind.REBOOT:
                self._rebooted.add(remedy.node_id)  # the next step is to remove it
            case RemedyKind.REMOVE:
                self._bad_since[remedy.node_id] = now

    def _tried(self, now: float) -> None:
        self._nudges += 1
        self._not_before = now + self._limits.nudge_backoff * 2**self._nudges

    def _note(self, nodes: Sequence[NodeSnapshot], now: float) -> None:
        bad = {node.id for node in nodes if node.state in _OF_NO_USE and not node.running_tasks}
        self._bad_since = {node_id: since for node_id, since in self._bad_since.items() if node_id in bad} | {
            node_id: now for node_id in bad if node_id not in self._bad_since
        }

    def _resize(self, pool: PoolSnapshot, now: float) -> Remedy | None:
        dedicated = pool.target_dedicated_nodes + self._owed[True]
        low_priority = pool.target_low_priority_nodes + self._owed[False]
        formula, interval = _formula(pool)
        if (self._owed[True] or self._owed[False]) and now >= self._not_before:
            return Remedy(
                kind=RemedyKind.RESIZE,
                reason="another node in the place of the one that was removed",
                dedicated=dedicated,
                low_priority=low_priority,
                formula=formula,
                interval=interval,
            )
        if not pool.resize_errors or self._nudges >= self._limits.pool_nudges:
            return None
        if any(is_quota(error) or error.code.lower() in _FOR_GOOD for error in pool.resize_errors):
            return None
        if not self._not_before:
            self._not_before = now + self._limits.nudge_backoff
        if now < self._not_before:
            return None
        return Remedy(
            kind=RemedyKind.RESIZE,
            reason=told_failure(pool.resize_errors[0]),
            dedicated=dedicated,
            low_priority=low_priority,
            attempt=self._nudges + 1,
            formula=formula,
            interval=interval,
        )

    def _for_nodes(self, nodes: Sequence[NodeSnapshot], now: float, *, steady: bool) -> list[Remedy]:
        remedies = []
        room = self._limits.node_replacements - len(self._removed)
        for node in nodes:
            since = self._bad_since.get(node.id)
            if since is None or node.id in self._removed:
                continue
            # The service tries to bring an unusable node back itself, and leaves a failed start task alone.
            if node.state is NodeState.UNUSABLE and now - since < self._limits.node_grace:
                continue
            if node.id not in self._rebooted:
                remedies.append(Remedy(kind=RemedyKind.REBOOT, reason=_why(node), node_id=node.id))
            elif steady and room > 0:
                # One at a time: each resizes the pool, which takes no other meanwhile.
                remedies.append(Remedy(kind=RemedyKind.REMOVE, reason=_why(node), node_id=node.id))
                break
        return remedies


def _formula(pool: PoolSnapshot) -> tuple[str, str]:
    if not pool.body.get("enableAutoScale"):
        return "", ""
    formula, interval = pool.body.get("autoScaleFormula"), pool.body.get("autoScaleEvaluationInterval")
    return str(formula or ""), str(interval or "")


def _why(node: NodeSnapshot) -> str:
    if node.state is NodeState.START_TASK_FAILED:
        told = f": {told_failure(node.start_task_failure)}" if node.start_task_failure else ""
        return f"its start task failed{told}"
    errors = "; ".join(told_failure(error) for error in node.errors)
    return f"it is unusable{f': {errors}' if errors else ''}"
