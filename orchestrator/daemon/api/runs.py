"""Runs: accepted, listed, shown, ended early, done again, forgotten."""

from __future__ import annotations

import anyio.lowlevel
import msgspec
from aiohttp import web

from orchestrator.daemon import refusals
from orchestrator.daemon.api import queries
from orchestrator.daemon.api.bodies import read_wish
from orchestrator.daemon.api.views import RunPage, RunView, json_response, run_view
from orchestrator.daemon.records import Phase
from orchestrator.daemon.service import DaemonService

PRIORITY = 1000
_LONGEST_WORD = 200
_VIEWS_PER_TURN = 100
"""A whole page would keep the loop for long."""


async def submit(request: web.Request, service: DaemonService) -> web.Response:
    """Take a job; the answer comes once it can't be lost any more."""
    priority = queries.number(request, "priority", 0, least=-PRIORITY, most=PRIORITY)
    submitter = _word(request.query.get("submitter", "http"), "submitter")
    key = request.headers.get("Idempotency-Key")
    if key is not None:
        key = f"http:{_word(key, 'Idempotency-Key')}"
    wish = await read_wish(request, service)
    wish = msgspec.structs.replace(wish, priority=priority, submitter=submitter, idempotency_key=key)
    record, new = await service.desk.submit(wish)
    response = json_response(run_view(record, service), status=201 if new else 200)
    response.headers["Location"] = f"{request.path.rstrip('/')}/{record.run_id}"
    return response


async def list_runs(request: web.Request, service: DaemonService) -> web.Response:
    """Runs, newest first."""
    limit = queries.number(request, "limit", 100, least=1, most=service.limits.page_size)
    phase = queries.choice(request, "phase", tuple(Phase))
    after = None
    if "after" in request.query:
        after = (await service.desk.find(request.query["after"])).number
    found = await service.intake.page(phases=(Phase(phase),) if phase else (), after=after, limit=limit + 1)
    shown: list[RunView] = []
    for start in range(0, min(limit, len(found)), _VIEWS_PER_TURN):
        await anyio.lowlevel.checkpoint()
        some = await service.desk.current(found[start : min(start + _VIEWS_PER_TURN, limit)])
        shown += [run_view(record, service) for record in some if phase in {None, record.phase}]
    return json_response(RunPage(runs=shown, next=found[limit - 1].run_id if len(found) > limit else None))


async def show(request: web.Request, service: DaemonService) -> web.Response:
    """One run."""
    return json_response(run_view(await service.desk.find(request.match_info["run_id"]), service))


async def cancel(request: web.Request, service: DaemonService) -> web.Response:
    """End a run early; one that is over stays as it is."""
    record = await service.desk.cancel(request.match_info["run_id"], "cancelled by a client of the daemon")
    return json_response(run_view(record, service), status=202)


async def retry_failed(request: web.Request, service: DaemonService) -> web.Response:
    """Do the tasks again that did not succeed, as a new run."""
    run_id = request.match_info["run_id"]
    # The turn is that of whoever submitted the first one, unless somebody else is named.
    submitter = request.query.get("submitter", (await service.desk.find(run_id)).submitter)
    record = await service.desk.retry_failed(run_id, submitter=_word(submitter, "submitter"))
    return json_response(run_view(record, service), status=201)


async def forget(request: web.Request, service: DaemonService) -> web.Response:
    """Forget a run that is over; its results stay."""
    await service.desk.forget(request.match_info["run_id"])
    return web.Response(status=204)


def _word(text: str, where: str) -> str:
    if not text or len(text) > _LONGEST_WORD or not text.isprintable():
        raise refusals.wrong_request(
            f"must be a printable text of 1 to {_LONGEST_WORD} characters", where=where
        )
    return text
