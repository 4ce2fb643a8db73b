"""The last net: a formula by which a pool shrinks to nothing when nobody stands for it any more.

The service evaluates it (at most every five minutes), so that nodes go even if no program of ours ever runs
again. Until `until` the pool keeps its size, whatever it does; from then on as long as tasks are pending, but
no longer than until `end`, when every job of ours that may use it has reached its wall clock. Nodes go when
their tasks have ended.

Source of facts: the product page "Automatically scale compute nodes" (functions, operators, variables of
one's own), whose example guards `GetSample` with `GetSamplePercent` as is done here: of a time with fewer
than 70 percent of its samples none are given, and the formula would fail for a pool's first ten minutes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Self

import msgspec

from orchestrator.spec.job import CleanupWhen, JobSpec
from orchestrator.spec.marks import as_mark

_FORMULA: Final = """\
orchestratorUntil = time("{until}");
orchestratorEnd = time("{end}");
orchestratorDedicated = {dedicated};
orchestratorLowPriority = {low_priority};
orchestratorSeen = $PendingTasks.GetSamplePercent(TimeInterval_Minute * 15);
orchestratorWork = orchestratorSeen < 1 ? 1 : (orchestratorSeen < 70 ? max(0, $PendingTasks.GetSample(1)) : \
max($PendingTasks.GetSample(TimeInterval_Minute * 15)));
orchestratorStays = time() < orchestratorUntil ? 1 : (time() < orchestratorEnd ? orchestratorWork : 0);
$TargetDedicatedNodes = orchestratorStays > 0 ? orchestratorDedicated : 0;
$TargetLowPriorityNodes = orchestratorStays > 0 ? orchestratorLowPriority : 0;
$NodeDeallocationOption = taskcompletion;
"""
_WRITTEN: Final = re.compile(
    r'\s*orchestratorUntil = time\("([^"]+)"\);\s*orchestratorEnd = time\("([^"]+)"\);'
    r"\s*orchestratorDedicated = (\d+);\s*orchestratorLowPriority = (\d+);"
)
_TARGETS: Final = ("targetDedicatedNodes", "targetLowPriorityNodes")


class LastNet(msgspec.Struct, frozen=True, kw_only=True):
    """What the formula of a pool says.

    Args:
        dedicated: how many dedicated nodes there are meanwhile.
        low_priority: how many spot nodes.
        until: when the pool begins to look at its tasks.
        end: when it shrinks whatever is pending.
    """

    dedicated: int
    low_priority: int
    until: datetime
    end: datetime

    @property
    def formula(self) -> str:
        """For the pool's `autoScaleFormula`."""
        return _FORMULA.format(
            until=as_mark(self.until),
            end=as_mark(self.end),
            dedicated=self.dedicated,
            low_priority=self.low_priority,
        )

    @classmethod
    def read(cls, formula: object) -> Self | None:
        """The net that a formula is, None where it is anything else.

        Args:
            formula: of a pool, None where it has none.
        """
        if not isinstance(formula, str) or (written := _WRITTEN.match(formula)) is None:
            return None
        until, end, dedicated, low_priority = written.groups()
        try:
            return cls(
                dedicated=int(dedicated),
                low_priority=int(low_priority),
                until=datetime.fromisoformat(until),
                end=datetime.fromisoformat(end),
            )
        except ValueError:
            return None

    def extended(self, *, until: datetime, end: datetime) -> Self:
        """The net that holds longer, never shorter: several runs may stand for one pool.

        Args:
            until: as above.
            end: as above.
        """
        return msgspec.structs.replace(self, until=max(self.until, until), end=max(self.end, end))


def wants_net(spec: JobSpec) -> bool:
    """Whether the pool that a job creates gets a net.

    Not where the pool is to stay, where the job file says no, and where its own `rest` scales it.

    Args:
        spec: of the job.
    """
    scaled = {"enableAutoScale", "autoScaleFormula"} & set(spec.pool.rest)
    return spec.pool.last_net and spec.cleanup.pool is not CleanupWhen.NEVER and not scaled


def cast(body: Mapping[str, Any], *, until: datetime, end: datetime, interval: str) -> dict[str, Any]:
    """The body of a pool that has its net from the beginning.

    A pool with a resize timeout of its own is left as it is: the service knows none for pools with a
    formula. It gets its net once it has its nodes.

    Args:
        body: of a pool with fixed targets.
        until: as of `LastNet`.
        end: likewise.
        interval: between evaluations, as ISO 8601.
    """
    if "resizeTimeout" in body:
        return dict(body)
    dedicated, low_priority = (int(body.get(name) or 0) for name in _TARGETS)
    net = LastNet(dedicated=dedicated, low_priority=low_priority, until=until, end=end)
    kept = {name: value for name, value in body.items() if name not in _TARGETS}
    scaled = {
        "enableAutoScale": True,
        "autoScaleFormula": net.formula,
        "autoScaleEvaluationInterval": interval,
    }
    return {**kept, **scaled}
