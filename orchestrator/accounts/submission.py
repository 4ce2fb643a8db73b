"""What became of each task of an add-collection request. Pure.

Source of facts: REST Task - Add Collection; recorded: results come in any order, and their statuses in any
case (`Success`, `clienterror`), where the SDK takes an unknown spelling for success.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

import msgspec

from orchestrator.accounts.redaction import without_query


class AddStatus(enum.StrEnum):
    """What became of one task that was sent."""

    ACCEPTED = "accepted"
    EXISTS = "exists"
    PERHAPS_OURS = "perhaps_ours"
    """It exists, and an earlier try of this very request went unanswered."""
    REFUSED = "refused"
    RETRY = "retry"
    """The service failed on it, or did not speak of it: it may be sent again."""


class AddOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one task that was sent.

    Args:
        task_id: as it was sent.
        status: what became of it.
        code: the service's word for why not.
        message: the service's sentence, with its values, for why not.
    """

    task_id: str
    status: AddStatus
    code: str = ""
    message: str = ""


class _Sent(msgspec.Struct):
    id: str


class _Pair(msgspec.Struct):
    key: Any = ""
    value: Any = ""


class _Error(msgspec.Struct):
    code: str = ""
    message: dict[str, Any] | str | None = None
    values: list[_Pair] = []


class _Result(msgspec.Struct, rename="camel"):
    task_id: str = ""
    status: str = ""
    error: _Error | None = None


class _Answer(msgspec.Struct):
    value: list[_Result] = []


_SENT = msgspec.json.Decoder(_Sent)
_ANSWER = msgspec.json.Decoder(_Answer)
_SILENCE = _Result(status="servererror", error=_Error(message="the service did not speak of it"))


def collection(bodies: Sequence[bytes]) -> bytes:
    """The body of the request.

    Args:
        bodies: of the tasks, as JSON.

    Returns:
        The same in one collection.
    """
    return b'{"value":[' + b",".join(bodies) + b"]}"


def outcomes(bodies: Sequence[bytes], answer: bytes, *, in_doubt: bool) -> tuple[AddOutcome, ...]:
    """Tell what became of each task.

    Args:
        bodies: of the tasks, as they were sent.
        answer: of the service.
        in_doubt: whether an earlier try of the same request may have been carried out.

    Returns:
        One outcome a task, in the order sent.

    Raises:
        msgspec.MsgspecError: it is not an answer to that request.
    """
    results: dict[str, list[_Result]] = {}
    for result in _ANSWER.decode(answer).value:
        results.setdefault(result.task_id.lower(), []).append(result)
    told = []
    for body in bodies:
        task_id = _SENT.decode(body).id
        # Two tasks of one request may have the same id: the second one's result is its own.
        waiting = results.get(task_id.lower())
        told.append(_outcome(task_id, waiting.pop(0) if waiting else _SILENCE, in_doubt=in_doubt))
    return tuple(told)


def _outcome(task_id: str, result: _Result, *, in_doubt: bool) -> AddOutcome:
    status = result.status.lower()
    if status == "success":
        return AddOutcome(task_id=task_id, status=AddStatus.ACCEPTED)
    error = result.error or _Error()
    if error.code == "TaskExists":
        there = AddStatus.PERHAPS_OURS if in_doubt else AddStatus.EXISTS
        return AddOutcome(task_id=task_id, status=there, code=error.code, message=_sentence(error))
    # An unknown status is no success; a refusal at least names itself to the user.
    became = AddStatus.RETRY if status == "servererror" else AddStatus.REFUSED
    return AddOutcome(task_id=task_id, status=became, code=error.code, message=_sentence(error))


def _sentence(error: _Error) -> str:
    said = error.message.get("value") if isinstance(error.message, dict) else error.message
    told = [str(said or "").replace("\r", "").partition("\nRequestId:")[0].strip()]
    told.extend(f"{pair.key}: {pair.value}" for pair in error.values)
    return "; ".join(without_query(part) for part in told if part)
