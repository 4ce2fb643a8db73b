"""What the services answer becomes an error of ours by status and code, never by the SDK's class."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import pytest
from azure.core import exceptions as core
from azure.identity import CredentialUnavailableError
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.accounts.failures import (
    Answer,
    AnswerError,
    Failure,
    error_of,
    observe,
    refusal,
    retry_after,
)
from orchestrator.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    QuotaError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)

_SIGNED = "https://acc.blob.core.windows.net/c/b?sv=1&sig=c2VjcmV0"


def batch_error(code: str, message: str = "It is so.", **values: str) -> bytes:
    told = f"{message}\nRequestId:11-22\nTime:2026-01-02T03:04:05.0000000Z"
    pairs = [{"key": key, "value": value} for key, value in values.items()]
    return json.dumps({"code": code, "message": {"lang": "en-US", "value": told}, "values": pairs}).encode()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "PoolNotFound", NotFoundError),
        (409, "JobExists", ConflictError),
        (409, "PoolBeingResized", ConflictError),
        (409, "ActiveJobAndScheduleQuotaReached", QuotaError),
        (409, "PoolQuotaReached", QuotaError),
        (401, "Unauthorized", AuthenticationError),
        (403, "AuthenticationFailed", AuthenticationError),
        (403, "AuthorizationPermissionMismatch", AuthenticationError),
        (403, "InsufficientAccountPermissions", AuthenticationError),
        (403, "AccountIsDisabled", ServiceError),
        (429, "TooManyRequests", ThrottledError),
        (503, "ServerBusy", ThrottledError),
        (503, "Unavailable", ServiceError),
        (500, "InternalError", ServiceError),
        (400, "InvalidPropertyValue", ServiceError),
        (413, "RequestBodyTooLarge", ServiceError),
    ],
)
def test_status_and_code_choose_the_error(status: int, code: str, kind: type[ServiceError]) -> None:
    failure = refusal(status, {"request-id": "r-1"}, batch_error(code))
    error = error_of(failure, operation="get pool small", attempts=1)
    assert type(error) is kind
    assert (error.status, error.code, error.request_id) == (status, code, "r-1")
    assert "It is so." in str(error)
    assert "RequestId" not in str(error)


def test_the_values_of_an_error_are_told_without_signatures() -> None:
    body = batch_error("InvalidPropertyValue", f"Bad {_SIGNED}", Reason="too long", Url=_SIGNED)
    error = error_of(refusal(400, {}, body), operation="create job j", attempts=1)
    assert isinstance(error, ServiceError)
    assert ("Reason", "too long") in error.details
    assert "c2VjcmV0" not in str(error)
    assert "https://acc.blob.core.windows.net/c/b" in str(error)


@given(body=st.binary(max_size=200), status=st.integers(300, 599))
def test_any_body_gives_an_error(body: bytes, status: int) -> None:
    assert isinstance(error_of(refusal(status, {}, body), operation="x", attempts=1), ServiceError)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["code", "message", "value", "values", "key", "lang"]), inner, max_size=4
            )
        ),
    )
)
def test_any_json_gives_an_error(body: object) -> None:
    failure = refusal(400, {}, json.dumps(body).encode())
    assert isinstance(error_of(failure, operation="x", attempts=1), ServiceError)


def test_the_pause_that_a_throttled_answer_asks_for_is_kept() -> None:
    failure = refusal(429, {"retry-after": "7"}, b"")
    error = error_of(failure, operation="x", attempts=6)
    assert isinstance(error, ThrottledError)
    assert error.retry_after == 7.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9e9"}, 86400.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_every_form_of_retry_after_is_understood(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_date_to_retry_after_is_understood() -> None:
    moment = datetime.now(UTC) + timedelta(seconds=90)
    seconds = retry_after({"retry-after": format_datetime(moment, usegmt=True)})
    assert seconds is not None
    assert 80 < seconds <= 90


def connector_error() -> aiohttp.ClientConnectorError:
    key = aiohttp.client_reqrep.ConnectionKey("h", 1, False, True, None, None, None)
    return aiohttp.ClientConnectorError(key, OSError(111, "refused"))


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (core.ServiceRequestError("no", error=connector_error()), Answer.NOT_SENT),
        (core.ServiceRequestTimeoutError("slow"), Answer.NOT_SENT),
        (core.ServiceRequestError("no", error=aiohttp.ServerDisconnectedError()), Answer.LOST),
        (core.ServiceResponseError("cut"), Answer.LOST),
        (core.IncompleteReadError("cut"), Answer.LOST),
        (core.DecodeError("<html>"), Answer.LOST),
        (ConnectionResetError("reset"), Answer.LOST),
        (TimeoutError(), Answer.LOST),
        (aiohttp.ClientPayloadError("cut"), Answer.LOST),
        (CredentialUnavailableError("nobody is signed in"), Answer.NO_CREDENTIAL),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_an_exception_without_an_answer_tells_how_far_the_request_got(
    error: Exception, answer: Answer
) -> None:
    failure = await observe(error)
    assert failure is not None
    assert failure.answer is answer


async def test_what_is_not_the_networks_fault_is_not_explained_away() -> None:
    assert await observe(ValueError("ours")) is None


def test_no_answer_becomes_unreachable() -> None:
    lost = error_of(Failure(answer=Answer.LOST, message="cut"), operation="get x", attempts=3)
    assert isinstance(lost, UnreachableError)
    assert (lost.operation, lost.attempts) == ("get x", 3)


async def test_nobody_signed_in_is_an_authentication_error_with_a_code() -> None:
    failure = await observe(CredentialUnavailableError("sign in"))
    assert failure is not None
    alone = error_of(failure, operation="get x", attempts=1)
    assert isinstance(alone, AuthenticationError)
    assert alone.code == "CredentialUnavailable"
    assert "sign in" in str(alone)


def test_an_error_of_storage_is_read_without_its_signature() -> None:
    told = f"No such container: {_SIGNED} &lt;c&gt;\nRequestId:11-22\nTime:2026-01-02"
    body = (
        f"\ufeff<?xml version='1.0'?><Error><Code>ContainerNotFound</Code><Message>{told}</Message></Error>"
    )
    failure = refusal(404, {"x-ms-request-id": "11-22"}, body.encode())
    assert failure.code == "ContainerNotFound"
    assert failure.message == "No such container: https://acc.blob.core.windows.net/c/b <c>"
    assert failure.request_id == "11-22"


@pytest.mark.parametrize(
    "body", [b"<Error>", b"<Error><Code>a</Code>", b"<Error>\xff<Code></Code><Message></Message></Error>"]
)
def test_half_an_error_of_storage_is_an_error_all_the_same(body: bytes) -> None:
    assert refusal(409, {"x-ms-error-code": "LeaseLost"}, body).code == "LeaseLost"


async def test_a_refusal_of_a_plain_request_is_observed_as_it_is() -> None:
    failure = refusal(404, {}, b"")
    assert await observe(AnswerError(failure)) is failure
