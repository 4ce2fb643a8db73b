"""What went wrong in one try of a request, in plain values, and which of our errors it becomes.

The only place that knows the exceptions of the SDKs. It looks at status and code, never at the class: the SDK
raises `ResourceExistsError` for every 409, and `ServiceRequestError` also for an answer that was lost
(recorded).
"""

from __future__ import annotations

import email.utils
import enum
import html
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec

from orchestrator.accounts.clock import refused_for_the_clock
from orchestrator.accounts.redaction import without_query
from orchestrator.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    OrchestratorError,
    QuotaError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError

_RETRYABLE = frozenset({408, 429, 500, 502, 503, 504})
_LONGEST_RETRY_AFTER = 86400.0
_TRUST = "its certificate is not trusted here: for a local service, name its CA file, or its env file"
_KINDS: Final[Mapping[int, type[ServiceError]]] = {
    HTTPStatus.UNAUTHORIZED: AuthenticationError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.TOO_MANY_REQUESTS: ThrottledError,
}
_UNAUTHORIZED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_CODES_OF_CREDENTIALS = (
    "Authentic",
    "Authoriz",
    "InvalidAuthenticationInfo",
    "InsufficientAccountPermissions",
)
_CODES_OF_THROTTLING = ("ServerBusy", "TooManyRequests", "TooManyEnableAutoScaleRequests")


class Answer(enum.Enum):
    """How far a try got."""

    REFUSED = "refused"
    NOT_SENT = "not_sent"
    LOST = "lost"
    UNTRUSTED = "untrusted"
    NO_CREDENTIAL = "no_credential"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What one try came to.

    Args:
        answer: how far it got; `LOST` means that the request may or may not have been carried out.
        message: the service's sentence, or the transport's.
        status: of the answer.
        code: the service's own word for the reason.
        request_id: what the service's support asks for.
        details: name/value pairs of the answer.
        retry_after: seconds that the service asks to wait.
    """

    answer: Answer
    message: str = ""
    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    details: tuple[tuple[str, str], ...] = ()
    retry_after: float | None = None

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed a little later."""
        if self.answer is Answer.REFUSED:
            return self.status in _RETRYABLE
        return self.answer not in (Answer.NO_CREDENTIAL, Answer.UNTRUSTED)

    @property
    def in_doubt(self) -> bool:
        """Whether the service may have done what it was asked for although it did not say so.

        429 is said before anything is done, 500 and 503 perhaps after it (REST: Batch Status and Error Codes,
        OperationTimedOut).
        """
        if self.answer is Answer.REFUSED:
            return self.status in _RETRYABLE and self.status != HTTPStatus.TOO_MANY_REQUESTS
        return self.answer is Answer.LOST


class AnswerError(Exception):
    """An answer to a request of our own that is not a success.

    Args:
        failure: what it says.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


async def observe(error: Exception) -> Failure | None:
    """Tell what an exception of an SDK means.

    Args:
        error: as it was raised; an unread answer is read, so that its connection is given back.

    Returns:
        What the try came to, or None when the exception is not the SDK's or the network's.
    """
    if isinstance(error, AnswerError):
        return error.failure
    import aiohttp  # noqa: PLC0415 - loaded by the SDK by now; a second of start-up otherwise
    from azure.core import exceptions as core  # noqa: PLC0415 - the same

    message = without_query(str(error) or type(error).__name__)
    if isinstance(error, core.HttpResponseError) and not isinstance(error, core.DecodeError):
        if error.response is None:
            return Failure(answer=Answer.NO_CREDENTIAL, message=message, code="CredentialUnavailable")
        return await _refusal(error)
    # A DecodeError is an answer that was cut short, or a proxy's page in its place: as good as none.
    if not isinstance(error, core.AzureError | aiohttp.ClientError | ConnectionError | TimeoutError):
        return None
    cause = (error.inner_exception or error.__cause__) if isinstance(error, core.AzureError) else error
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        return Failure(answer=Answer.UNTRUSTED, message=f"{message} ({_TRUST})")
    unsent = isinstance(error, core.ServiceRequestTimeoutError) or isinstance(
        cause, aiohttp.ClientConnectorError
    )
    return Failure(answer=Answer.NOT_SENT if unsent else Answer.LOST, message=message)


def error_of(failure: Failure, *, operation: str, attempts: int) -> OrchestratorError:
    """The error that a caller gets for the last try's failure.

    Args:
        failure: of the last try.
        operation: what was asked for, such as `get pool small`.
        attempts: how many tries there were.

    Returns:
        An error to be raised from the SDK's exception.
    """
    if failure.answer in (Answer.NOT_SENT, Answer.LOST, Answer.UNTRUSTED):
        return UnreachableError(failure.message or None, operation=operation, attempts=attempts)
    told: dict[str, Any] = {
        "operation": operation,
        "status": failure.status,
        "code": failure.code,
        "request_id": failure.request_id,
        "details": failure.details,
    }
    kind = _kind(failure)
    if kind is ThrottledError:
        told["retry_after"] = failure.retry_after
    return kind(failure.message, **told)


def _kind(failure: Failure) -> type[ServiceError]:
    code = failure.code or ""
    unauthorized = failure.status == HTTPStatus.FORBIDDEN and code.startswith(_CODES_OF_CREDENTIALS)
    if failure.answer is Answer.NO_CREDENTIAL or unauthorized:
        return AuthenticationError
    if "quota" in code.lower():
        return QuotaError
    if failure.status == HTTPStatus.SERVICE_UNAVAILABLE and code in _CODES_OF_THROTTLING:
        return ThrottledError
    return _KINDS.get(failure.status or 0, ServiceError)


def refusal(status: int, headers: Mapping[str, str], body: bytes, *, code: str | None = None) -> Failure:
    """What an answer that is not a success says.

    Args:
        status: of the answer.
        headers: of the answer, looked up without case where the mapping does so.
        body: of the answer; a Batch error is JSON (REST: Batch Status and Error Codes), a storage error XML
            (REST: Status and Error Codes), all else is ignored.
        code: where the SDK has found it already.

    Returns:
        The failure.
    """
    said = _storage_error(body) or _batch_error(body)
    message = said.message.get("value") if isinstance(said.message, dict) else said.message
    lines = str(message or "").replace("\r", "")
    sentence = without_query(lines.partition("\nRequestId:")[0].strip())
    clock = refused_for_the_clock(headers, datetime.now(UTC)) if status in _UNAUTHORIZED else None
    return Failure(
        answer=Answer.REFUSED,
        status=status,
        code=code or said.code or headers.get("x-ms-error-code"),
        message="; ".join(filter(None, (sentence, clock))),
        request_id=headers.get("request-id") or headers.get("x-ms-request-id"),
        details=tuple((str(pair.key), without_query(str(pair.value))) for pair in said.values),
        retry_after=retry_after(headers),
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """How long an answer asks to wait, in seconds; both forms of RFC 9110 and Azure's milliseconds.

    Args:
        headers: of the answer.

    Returns:
        Seconds, at most a day, or None.
    """
    for name, unit in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001), ("retry-after", 1.0)):
        given = headers.get(name)
        if given is None:
            continue
        try:
            seconds = float(given) * unit
        except ValueError:
            seconds = _until(given)
        if math.isfinite(seconds) and seconds >= 0:
            return min(seconds, _LONGEST_RETRY_AFTER)
    return None


class _Pair(msgspec.Struct):
    key: Any = ""
    value: Any = ""


class _BatchError(msgspec.Struct):
    code: str | None = None
    message: dict[str, Any] | str | None = None
    values: list[_Pair] = []


_DECODER: Final = msgspec.json.Decoder(_BatchError)


def _batch_error(body: bytes) -> _BatchError:
    try:
        return _DECODER.decode(body)
    except msgspec.MsgspecError:
        return _BatchError()


_STORAGE_ERROR = re.compile(r"<Error>\s*<Code>(?P<code>[^<]*)</Code>\s*<Message>(?P<message>[^<]*)</Message>")


def _storage_error(body: bytes) -> _BatchError | None:
    # Not with a parser of XML, which would do whatever a stranger's answer tells it to.
    found = _STORAGE_ERROR.search(body.decode("utf-8", "replace")) if b"<Error>" in body else None
    if found is None:
        return None
    return _BatchError(code=found["code"], message=html.unescape(found["message"]))


def _until(date: str) -> float:
    try:
        moment = email.utils.parsedate_to_datetime(date)
    except ValueError:
        return math.nan
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


async def _refusal(error: HttpResponseError) -> Failure:
    from azure.core.exceptions import AzureError  # noqa: PLC0415 - loaded by the SDK by now

    response: Any = error.response
    found = getattr(error, "error_code", None)  # the storage SDK has read the answer and put its code here
    code = str(getattr(found, "value", found)) if found else None
    body = b""
    read = getattr(response, "read", None)
    if code is None and read is not None:
        try:
            body = await read()
        except (AzureError, OSError):  # a HEAD's answer, or one that was cut: the status says enough
            body = b""
    failure = refusal(response.status_code, response.headers, body, code=code)
    if failure.message or body:
        return failure
    # The storage SDK's sentence ends in its own list of members, and may quote the address that was asked.
    sentence = str(error.message).partition("\nRequestId:")[0].partition("\nErrorCode:")[0]
    return msgspec.structs.replace(failure, message=without_query(sentence.strip()))
