"""Tries again what may pass: the decision, which is pure, and the loop around it.

The SDKs' own retries are switched off: they give up after five seconds, leave a POST alone on a reset
connection or a 429, and don't tell that an earlier try may have been carried out (recorded).
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import msgspec
import structlog

from orchestrator.accounts.failures import Answer, Failure, error_of, observe
from orchestrator.accounts.redaction import shown_cause
from orchestrator.limits import Limits

T = TypeVar("T")

_log = structlog.get_logger("orchestrator.accounts")
_DOUBLINGS = 30
_SOON = 5
"""How many times sooner the first try after a broken connection comes: mostly an idle one was closed."""
_PUT_OFF = frozenset({429, 503})


class Tries(msgspec.Struct):
    """The story of one operation's tries, for who must know more than how it ended.

    Args:
        count: how many there were.
        in_doubt: whether one before the last may have been carried out although nobody said so.
        put_off: how many the service put off, asking to slow down.
    """

    count: int = 0
    in_doubt: bool = False
    put_off: int = 0


def next_pause(attempt: int, failure: Failure, limits: Limits, rng: random.Random) -> float | None:
    """Decide whether to try again, and when.

    Args:
        attempt: how many tries there were, from 1.
        failure: what the last one came to.
        limits: `attempts`, `backoff` and `backoff_limit` count.
        rng: for the jitter, without which clients that were put off together come back together.

    Returns:
        Seconds to wait, never less than the service asked for; None to give up.
    """
    if attempt >= limits.attempts or not failure.passing:
        return None
    if attempt == 1 and failure.answer is not Answer.REFUSED:
        return rng.uniform(0.0, limits.backoff / _SOON)
    ceiling = min(limits.backoff * 2 ** min(attempt - 1, _DOUBLINGS), limits.backoff_limit)
    pause = rng.uniform(ceiling / 2, ceiling)
    if failure.retry_after is None:
        return pause
    return failure.retry_after + rng.uniform(0.0, min(limits.backoff, failure.retry_after / 4))


async def persist(
    operation: str,
    send: Callable[[], Awaitable[T]],
    *,
    limits: Limits,
    rng: random.Random,
    tries: Tries | None = None,
    turn: Callable[[], Awaitable[float]] | None = None,
) -> T:
    """Carry out a request, trying again while that may help and time is left.

    Args:
        operation: what it is, for errors and logs: `get pool small`.
        send: makes one try; it is called anew for each.
        limits: `operation_timeout` bounds everything together.
        rng: for the jitter.
        tries: filled while it goes on, so that it also tells when an error is raised.
        turn: waits before each try until it may go, and says for how long; that time does not count.

    Returns:
        What `send` returned.

    Raises:
        ServiceError: the service refused (see `failures.error_of` for the subclasses).
        UnreachableError: no answer came.
    """
    told = tries if tries is not None else Tries()
    deadline = anyio.current_time() + limits.operation_timeout
    while True:
        if turn is not None:
            deadline += await turn()
        told.count += 1
        failure = Failure(answer=Answer.LOST, message=f"no answer within {limits.operation_timeout:g} s")
        cause: Exception | None = None
        with anyio.move_on_at(deadline) as scope:
            try:
                return await send()
            except Exception as error:
                # Inside the scope: reading why it was refused may take as long as any other answer.
                observed = await observe(error)
                if observed is None:
                    raise
                failure, cause = observed, error
        told.put_off += failure.status in _PUT_OFF
        pause = None if scope.cancelled_caught else next_pause(told.count, failure, limits, rng)
        if pause is None or anyio.current_time() + pause >= deadline:
            try:
                raise error_of(failure, operation=operation, attempts=told.count) from shown_cause(cause)
            finally:
                # The cause's traceback has this frame in it: a circle, for every blob that is not there.
                del cause
        told.in_doubt = told.in_doubt or failure.in_doubt
        _log.info(
            "request.retried",
            operation=operation,
            attempt=told.count,
            pause=round(pause, 3),
            status=failure.status,
            code=failure.code,
            answer=failure.answer.value,
        )
        await anyio.sleep(pause)
