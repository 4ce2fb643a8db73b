"""Whether and when to try again is decided without a clock and without a service."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.accounts.failures import Answer, Failure
from orchestrator.accounts.retry import Tries, next_pause, persist
from orchestrator.errors import ServiceError, UnreachableError
from orchestrator.limits import Limits

_LIMITS = Limits(attempts=6, backoff=0.5, backoff_limit=20.0)
_PASSING = (408, 429, 500, 502, 503, 504)
_failures = st.one_of(
    st.sampled_from(_PASSING).map(lambda status: Failure(answer=Answer.REFUSED, status=status)),
    st.sampled_from([Answer.LOST, Answer.NOT_SENT]).map(lambda answer: Failure(answer=answer)),
)


@given(attempt=st.integers(1, 5), failure=_failures, seed=st.integers())
def test_what_may_pass_is_tried_again_after_a_pause_within_bounds(
    attempt: int, failure: Failure, seed: int
) -> None:
    pause = next_pause(attempt, failure, _LIMITS, random.Random(seed))
    ceiling = min(0.5 * 2 ** (attempt - 1), 20.0)
    assert pause is not None
    if attempt == 1 and failure.answer is not Answer.REFUSED:  # mostly an idle connection that was closed
        assert pause <= ceiling / 5
    else:
        assert ceiling / 2 <= pause <= ceiling


@given(
    attempt=st.integers(1, 5),
    asked=st.floats(0, 86400),
    status=st.sampled_from(_PASSING),
    seed=st.integers(),
)
def test_it_never_comes_back_sooner_than_the_service_asked(
    attempt: int, asked: float, status: int, seed: int
) -> None:
    failure = Failure(answer=Answer.REFUSED, status=status, retry_after=asked)
    pause = next_pause(attempt, failure, _LIMITS, random.Random(seed))
    assert pause is not None
    assert asked <= pause <= asked + _LIMITS.backoff


@given(status=st.integers(100, 599).filter(lambda status: status not in _PASSING), asked=st.floats(0, 10))
def test_what_was_refused_for_good_is_not_tried_again(status: int, asked: float) -> None:
    failure = Failure(answer=Answer.REFUSED, status=status, retry_after=asked)
    assert next_pause(1, failure, _LIMITS, random.Random(0)) is None


@given(attempt=st.integers(6, 10_000), failure=_failures)
def test_it_gives_up_after_the_last_attempt(attempt: int, failure: Failure) -> None:
    assert next_pause(attempt, failure, _LIMITS, random.Random(0)) is None


def test_no_number_of_attempts_makes_the_pause_overflow() -> None:
    patient = Limits(attempts=10**9, backoff=0.5, backoff_limit=20.0)
    pause = next_pause(10**8, Failure(answer=Answer.LOST), patient, random.Random(0))
    assert pause is not None
    assert pause <= 20.0


def test_a_missing_credential_is_not_tried_again() -> None:
    assert next_pause(1, Failure(answer=Answer.NO_CREDENTIAL), _LIMITS, random.Random(0)) is None


@pytest.mark.parametrize(
    ("failure", "doubt"),
    [
        (Failure(answer=Answer.LOST), True),
        (Failure(answer=Answer.NOT_SENT), False),
        (Failure(answer=Answer.REFUSED, status=429), False),
        (Failure(answer=Answer.REFUSED, status=500), True),
        (Failure(answer=Answer.REFUSED, status=503), True),
        (Failure(answer=Answer.REFUSED, status=404), False),
    ],
    ids=str,
)
def test_only_what_may_have_been_carried_out_is_in_doubt(failure: Failure, doubt: bool) -> None:
    assert failure.in_doubt is doubt


async def test_the_story_of_the_tries_is_told() -> None:
    errors = [ConnectionResetError("reset"), ConnectionResetError("reset again")]

    async def send() -> str:
        if errors:
            raise errors.pop()
        return "done"

    tries = Tries()
    quick = Limits(backoff=0.001)
    assert await persist("get x", send, limits=quick, rng=random.Random(0), tries=tries) == "done"
    assert tries == Tries(count=3, in_doubt=True)


async def test_the_last_failure_is_raised_with_its_cause() -> None:
    async def send() -> None:
        raise ConnectionResetError("reset by the test")

    quick = Limits(backoff=0.001, attempts=2)
    with pytest.raises(UnreachableError, match="2 attempt") as raised:
        await persist("get x", send, limits=quick, rng=random.Random(0))
    assert isinstance(raised.value.__cause__, ConnectionResetError)


async def test_a_mistake_of_ours_is_neither_hidden_nor_tried_again() -> None:
    calls = 0

    async def send() -> None:
        nonlocal calls
        calls += 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await persist("get x", send, limits=_LIMITS, rng=random.Random(0))
    assert calls == 1


async def test_a_pause_that_would_outlast_the_operation_ends_it_at_once() -> None:
    async def send() -> None:
        raise ConnectionResetError("reset")

    hurried = Limits(backoff=30.0, backoff_limit=30.0, operation_timeout=5.0)
    tries = Tries()
    with pytest.raises(UnreachableError):
        await persist("get x", send, limits=hurried, rng=random.Random(0), tries=tries)
    assert tries.count == 1


async def test_our_own_errors_pass_through() -> None:
    refused = ServiceError("no", operation="get x", status=400, code="Bad")

    async def send() -> None:
        raise refused

    with pytest.raises(ServiceError) as raised:
        await persist("get x", send, limits=_LIMITS, rng=random.Random(0))
    assert raised.value is refused
