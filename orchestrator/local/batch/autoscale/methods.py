"""The methods of a sampled variable.

Source of facts: the table "Methods" of the autoscale page. That `GetSample` of a time wants 70 percent
of the samples when it is not told how many is from published errors of the real service ("wanted 70%":
Azure/batch-shipyard#138, page "Pool autoscale event"). `GetSamplePercent` is documented as a doubleVec
and used as a double everywhere. The order of samples is not documented; here the newest is first.
"""

from __future__ import annotations

from typing import Final

from orchestrator.local.batch.autoscale.errors import CannotEvaluateError, insufficient_samples
from orchestrator.local.batch.autoscale.functions import refused
from orchestrator.local.batch.autoscale.samples import Metrics, SampleHistory
from orchestrator.local.batch.autoscale.values import Interval, Timestamp, Value, instant
from orchestrator.local.batch.autoscale.variables import UNKNOWABLE, unknowable

METHODS: Final = frozenset({"Count", "GetSample", "GetSamplePercent", "GetSamplePeriod", "HistoryBeginTime"})
WANTED: Final = 70.0
"""Percent of the samples, when `GetSample` of a time is not told how many."""

_MOST: Final = 1_000_000
_LONGEST: Final = 2


def find_history(metrics: Metrics, name: str) -> SampleHistory:
    """Find the samples of a variable.

    Args:
        metrics: of the pool.
        name: of the variable.

    Returns:
        Its history.

    Raises:
        CannotEvaluateError: there is none.
    """
    if name in UNKNOWABLE:
        raise unknowable(name)
    history = metrics.history(name)
    if history is None:
        raise CannotEvaluateError(f"The local service has no samples of {name}")
    return history


def call_method(
    history: SampleHistory, name: str, method: str, arguments: tuple[Value, ...], now: int
) -> Value:
    """Call a method of a sampled variable.

    Args:
        history: of the variable.
        name: of the variable.
        method: one of METHODS.
        arguments: evaluated.
        now: present instant in ticks.

    Returns:
        Its result.

    Raises:
        CannotEvaluateError: it does not take such arguments, or samples are missing.
    """
    match method, arguments:
        case "Count", ():
            return float(history.count(now))
        case "GetSamplePeriod", ():
            return Interval(history.period)
        case "HistoryBeginTime", ():
            return Timestamp(history.begin_time(now))
        case "GetSamplePercent", (_, *_):
            start, end = _span(method, arguments, now)
            return history.percent(start, end, now)
        case "GetSample", (float(count),):
            if count < 0:
                raise CannotEvaluateError("GetSample takes no negative count")
            return history.latest(int(min(count, _MOST)), now)
        case "GetSample", (_, *_):
            *times, last = arguments
            wanted = last if isinstance(last, float) else WANTED
            start, end = _span(method, tuple(times) if isinstance(last, float) else arguments, now)
            received = history.percent(start, end, now)
            if received < wanted:
                raise insufficient_samples(name, wanted, received)
            return history.between(start, end, now)
    raise refused(method, arguments)


def _span(method: str, times: tuple[Value, ...], now: int) -> tuple[int, int]:
    ends: list[int] = []
    for time in times:
        if isinstance(time, Timestamp):
            ends.append(time.ticks)
        elif isinstance(time, Interval):
            ends.append(instant(now - time.ticks).ticks)  # an interval looks back
        else:
            raise refused(method, times)
    if not 1 <= len(ends) <= _LONGEST:
        raise refused(method, times)
    return ends[0], ends[1] if len(ends) == _LONGEST else now
