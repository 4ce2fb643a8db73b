"""The error of a run whose time is up: what had not ended, and why."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import TimeLimitError
from orchestrator.spec.duration import Duration

_NAMED = 20


def time_limit_error(
    timeout: Duration, *, accepted: int, unfinished: Sequence[str], reasons: Sequence[str]
) -> TimeLimitError:
    """Make the error.

    Args:
        timeout: of the watching.
        accepted: how many tasks there were.
        unfinished: the ids of those that had not ended; the message names the first twenty.
        reasons: why nothing may have moved, as sentences.
    """
    named = ", ".join(unfinished[:_NAMED])
    more = f" and {len(unfinished) - _NAMED} more" if len(unfinished) > _NAMED else ""
    because = f": {'; '.join(reasons)}" if reasons else ""
    return TimeLimitError(
        f"after {timeout} {len(unfinished)} of {accepted} tasks had not ended ({named}{more}){because}",
        unfinished=unfinished,
        reasons=reasons,
    )
