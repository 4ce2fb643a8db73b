"""What becomes of a request that meets a fault."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import anyio
import msgspec

from orchestrator.local.batch.errors import (
    job_not_found,
    job_quota_reached,
    pool_not_found,
    pool_quota_reached,
    task_not_found,
)
from orchestrator.local.faults.decision import Occasion, task_matches
from orchestrator.local.faults.kinds import (
    CollectionOutcome,
    DropAnswer,
    Fault,
    PartialCollection,
    Refuse,
    ResetConnection,
    Slow,
    Stale,
    TimeOutAfterWork,
)
from orchestrator.local.faults.rule import Match, Rule
from orchestrator.local.wire import times
from orchestrator.local.wire.api_error import ApiError, internal_error
from orchestrator.local.wire.app import Answer, ConnectionBroken
from orchestrator.local.wire.call import JSON_TYPE, Call, Framing, Reply, listing

_BUSY: Final = "The server is currently unable to process requests. Please retry your request."
_CODES: Final[Mapping[str, tuple[int, str]]] = {
    "TooManyRequests": (429, "Request failed as server encountered too many requests. Please try again."),
    "ServerBusy": (503, _BUSY),
    "InternalError": (500, internal_error().message),
    "OperationTimedOut": (500, "Operation could not be completed within the specified time."),
    "AccountIsDisabled": (403, "The specified account is disabled."),
    **{
        one.code: (one.status, one.message)
        for one in (
            pool_quota_reached(),
            job_quota_reached(),
            pool_not_found(),
            job_not_found(),
            task_not_found(),
        )
    },
}
_USUAL: Final = {429: "TooManyRequests", 500: "InternalError", 503: "ServerBusy"}
_CREATES: Final = frozenset({"create_pool", "create_job", "create_task", "create_task_collection"})


def occasion_of(call: Call) -> Occasion:
    """Tell what a request is about.

    Args:
        call: in order.

    Returns:
        The ids that its path names, and for what it creates those of the body.
    """
    pool, job = call.parameters.get("poolId", ""), call.parameters.get("jobId", "")
    tasks = [call.parameters["taskId"]] if "taskId" in call.parameters else []
    if call.operation in _CREATES:
        body = _body(call)
        name = str(body.get("id", ""))
        match call.operation:
            case "create_pool":
                pool = name
            case "create_job":
                job = name
                if isinstance(body.get("poolInfo"), dict):
                    pool = str(body["poolInfo"].get("poolId", ""))
            case "create_task":
                tasks = [name]
            case _:
                tasks = [str(item.get("id", "")) for item in _items(body)]
    node = call.parameters.get("nodeId", "")
    return Occasion(name=call.operation, pool=pool, job=job, tasks=tuple(tasks), node=node)


async def meet(fault: Fault, rule: Rule, call: Call, answer: Answer) -> Reply:
    """Let a fault happen to a request.

    Args:
        fault: of a kind that happens to requests.
        rule: of the fault.
        call: the request.
        answer: its handler.

    Returns:
        What the client is told.

    Raises:
        ConnectionBroken: if it is told nothing.
    """
    match fault:
        case Refuse():
            return refusal(fault, call)
        case ResetConnection():
            raise ConnectionBroken(reset=True)
        case DropAnswer():
            await _do(call, answer)
            raise ConnectionBroken(reset=False)
        case TimeOutAfterWork():
            await _do(call, answer)
            await anyio.sleep(fault.seconds)
            return refusal(Refuse(code="OperationTimedOut"), call)
        case Slow():
            reply = await answer(call)
            await anyio.sleep(fault.seconds)
            return reply
        case Stale():
            past = call.at - round(fault.seconds * times.TICKS_PER_SECOND)
            return await answer(dataclasses.replace(call, as_of=past))
        case PartialCollection():
            return await _add_some(fault, rule.match, call, answer)
        case _:
            return await answer(call)


def refusal(fault: Refuse, call: Call) -> Reply:
    """Refuse as the service would.

    Args:
        fault: what to say.
        call: the request.
    """
    status = fault.status
    code = fault.code or _USUAL.get(status or 503, "InternalError")
    usual, message = _CODES.get(code, (status or 503, f"{code}, as the fault lab was told to say."))
    error = ApiError(status or usual, code, message)
    headers = {"Content-Type": JSON_TYPE}
    if fault.retry_after is not None:
        headers["Retry-After"] = str(fault.retry_after)
    return Reply(
        status=error.status,
        headers=headers,
        body=error.body(call.account_url, call.request_id, call.at),
        framing=Framing.LENGTH,
        reason=error.message,
    )


async def _do(call: Call, answer: Answer) -> None:
    """Do the work and throw the answer away."""
    with contextlib.suppress(ApiError):
        reply = await answer(call)
        if isinstance(reply.body, AsyncIterator) and hasattr(reply.body, "aclose"):
            await reply.body.aclose()


async def _add_some(fault: PartialCollection, match: Match, call: Call, answer: Answer) -> Reply:
    body = _body(call)
    items = _items(body)
    meant = [position for position, item in enumerate(items) if task_matches(match, str(item.get("id")))]
    left_out = set(meant[len(meant) - math.ceil(fault.share * len(meant)) :])
    if not left_out:
        return await answer(call)
    kept = [item for position, item in enumerate(items) if position not in left_out]
    told: list[Mapping[str, Any]] = []
    if kept:
        changed = dataclasses.replace(call, body=msgspec.json.encode({**body, "value": kept}))
        reply = await answer(changed)
        if isinstance(reply.body, bytes):
            told = msgspec.json.decode(reply.body)["value"]
    if fault.outcome is CollectionOutcome.BROKEN:
        return refusal(Refuse(code=fault.code or "InternalError"), call)
    told += [_left_out(fault, call, str(items[position].get("id"))) for position in sorted(left_out)]
    return listing(call, "taskaddresult", told)


def _body(call: Call) -> dict[str, Any]:
    """Look into a body that may be anything; the handler is who refuses it."""
    body: Any = None
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        body = msgspec.json.decode(call.body)
    return body if isinstance(body, dict) else {}


def _items(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    items = body.get("value")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _left_out(fault: PartialCollection, call: Call, name: str) -> Mapping[str, Any]:
    server = fault.outcome is CollectionOutcome.SERVER_ERROR
    code = fault.code or ("InternalError" if server else "InvalidPropertyValue")
    _, message = _CODES.get(code, (0, f"{code}, as the fault lab was told to say."))
    text = ApiError(0, code, message).text(call.request_id, call.at)
    return {
        "error@odata.navigationLinkUrl": f"{call.url.rpartition('/')[0]}/tasks/{name}/error",
        "status": "ServerError" if server else "ClientError",
        "taskId": name,
        "error": {"code": code, "message": {"lang": "en-US", "value": text}},
    }
