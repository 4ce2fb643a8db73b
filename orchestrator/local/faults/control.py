"""The control endpoint: the fault lab over HTTP, on a path of its own and with a key of its own.

It is no part of the Batch API: nothing here is signed, versioned or seen by a Batch client.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import web

from orchestrator.local.batch.account import Account
from orchestrator.local.batch.delays import Pace
from orchestrator.local.batch.quotas import Quotas
from orchestrator.local.batch.runtime import Machine
from orchestrator.local.batch.store.resizing import node_number
from orchestrator.local.faults.lab import FaultLab, Firing
from orchestrator.local.faults.rule import FaultScriptError, Rule
from orchestrator.local.faults.script import parse_script
from orchestrator.local.wire.api_error import ApiError
from orchestrator.local.wire.app import check_local

CONTROL_PATH: Final = "/_local"
KEY_HEADER: Final = "Orchestrator-Local-Control-Key"

_AWAY: Final = "away"


class _Refused(Exception):  # noqa: N818  # an answer
    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Control:
    """Serves `/_local`.

    Args:
        lab: that it controls.
        pace: that it may change.
        key: that every request must bring.
    """

    def __init__(self, lab: FaultLab, pace: Pace, key: str) -> None:
        self._lab = lab
        self._pace = pace
        self._key = key.encode()
        self._account: Account | None = None

    def mount(self, application: web.Application, account: Account) -> None:
        """Add the paths to an application.

        Args:
            application: of the Batch endpoint.
            account: whose nodes things may happen to.
        """
        self._account = account
        lines: tuple[tuple[str, str, Callable[[web.Request], Awaitable[Any]]], ...] = (
            ("GET", "/faults", self._list),
            ("PUT", "/faults", self._replace),
            ("POST", "/faults", self._add),
            ("DELETE", "/faults", self._clear),
            ("GET", "/faults/{name}", self._get),
            ("DELETE", "/faults/{name}", self._remove),
            ("GET", "/firings", self._firings),
            ("POST", "/pools/{pool}/nodes/{node}/{happen}", self._happen),
            ("GET", "/settings", self._settings),
            ("POST", "/settings", self._set),
        )
        for method, path, handler in lines:
            application.router.add_route(method, CONTROL_PATH + path, self._guarded(handler))
        application.router.add_route("*", CONTROL_PATH + "/{rest:.*}", self._guarded(self._nothing))

    def _guarded(
        self, handler: Callable[[web.Request], Awaitable[Any]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                check_local(request)
                self._check_key(request)
                return web.json_response(await handler(request))
            except ApiError as refusal:
                return _error(refusal.status, refusal.message)
            except FaultScriptError as error:
                return _error(HTTPStatus.BAD_REQUEST, str(error))
            except _Refused as refused:
                return _error(refused.status, str(refused))

        return answer

    def _check_key(self, request: web.Request) -> None:
        if not hmac.compare_digest(request.headers.get(KEY_HEADER, "").encode(), self._key):
            raise _Refused(HTTPStatus.FORBIDDEN, f"the header {KEY_HEADER} has to hold the key")

    async def _list(self, _request: web.Request) -> Any:
        return {"rules": [self._shown(rule) for rule in self._lab.rules]}

    async def _replace(self, request: web.Request) -> Any:
        toml = "toml" in request.headers.get("Content-Type", "")
        self._lab.replace(parse_script(await request.read(), toml=toml))
        return await self._list(request)

    async def _add(self, request: web.Request) -> Any:
        name = self._lab.add(await _object(request))
        return self._shown(self._rule(name))

    async def _clear(self, request: web.Request) -> Any:
        self._lab.clear()
        return await self._list(request)

    async def _get(self, request: web.Request) -> Any:
        return self._shown(self._rule(request.match_info["name"]))

    async def _remove(self, request: web.Request) -> Any:
        name = request.match_info["name"]
        shown = self._shown(self._rule(name))
        self._lab.remove(name)
        return shown

    async def _firings(self, request: web.Request) -> Any:
        wanted = request.query.get("rule")
        return {
            "firings": [_firing(one) for one in self._lab.firings if wanted is None or one.rule == wanted]
        }

    async def _happen(self, request: web.Request) -> Any:
        if self._account is None:
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the service is not running")
        away = _seconds(await _object(request), _AWAY)
        machine = _machine(self._account, request.match_info["pool"], request.match_info["node"])
        mishaps, happen = self._account.mishaps, request.match_info["happen"]
        match happen:
            case "lose":
                happened = mishaps.lose(machine)
            case "preempt":
                happened = mishaps.preempt(machine, away)
            case "unusable":
                happened = mishaps.make_unusable(machine)
            case _:
                raise _Refused(HTTPStatus.NOT_FOUND, "a node is told to lose, preempt or unusable")
        if not happened:
            kind = "dedicated" if machine.record.dedicated else "low-priority"
            reason = f"a {kind} node that is {machine.record.state.value} can't be told to {happen}"
            raise _Refused(HTTPStatus.CONFLICT, reason)
        return {"node": machine.record.id, "state": machine.record.state.value}

    async def _settings(self, _request: web.Request) -> Any:
        quotas = self._quotas()
        return {
            "time_scale": self._pace.scale,
            "pool_quota": quotas.pools,
            "job_quota": quotas.active_jobs,
        }

    async def _set(self, request: web.Request) -> Any:
        wanted = await _object(request)
        if not wanted or not wanted.keys() <= {"time_scale", "pool_quota", "job_quota"}:
            raise _Refused(HTTPStatus.BAD_REQUEST, "the settings are time_scale, pool_quota and job_quota")
        quotas = self._quotas()
        pools = _quota(wanted, "pool_quota", quotas.pools)
        jobs = _quota(wanted, "job_quota", quotas.active_jobs)
        if "time_scale" in wanted:
            self._pace.set_scale(_seconds(wanted, "time_scale"))
        quotas.pools, quotas.active_jobs = pools, jobs
        return await self._settings(request)

    def _quotas(self) -> Quotas:
        if self._account is None:
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "the service is not started yet")
        return self._account.quotas

    async def _nothing(self, _request: web.Request) -> Any:
        raise _Refused(HTTPStatus.NOT_FOUND, "there is nothing of that name and method here")

    def _rule(self, name: str) -> Rule:
        for rule in self._lab.rules:
            if rule.name == name:
                return rule
        raise _Refused(HTTPStatus.NOT_FOUND, f"there is no rule {name!r}")

    def _shown(self, rule: Rule) -> Mapping[str, Any]:
        progress = self._lab.progress(rule.name)
        return {**msgspec.to_builtins(rule), "seen": progress.seen, "fired": progress.fired}


def _firing(firing: Firing) -> Mapping[str, Any]:
    shown: Mapping[str, Any] = msgspec.to_builtins(firing)
    return shown


def _machine(account: Account, pool: str, node: str) -> Machine:
    if not node.isdecimal():
        return account.machine(pool, node)
    for machine in account.pool(pool).machines.values():
        if node_number(machine.record) == int(node):
            return machine
    raise _Refused(HTTPStatus.NOT_FOUND, f"the pool has no node number {node}")


async def _object(request: web.Request) -> Mapping[str, Any]:
    try:
        value = json.loads(await request.read() or b"{}")
    except ValueError as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise _Refused(HTTPStatus.BAD_REQUEST, "the body is no JSON object")
    return value


def _seconds(values: Mapping[str, Any], name: str) -> float:
    value = values.get(name, 0)
    # bool is a number, NaN compares with nothing: neither is one here.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise _Refused(HTTPStatus.BAD_REQUEST, f"{name} is a number, 0 or more")
    return float(value)


def _quota(values: Mapping[str, Any], name: str, present: int | None) -> int | None:
    value = values.get(name, present)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise _Refused(HTTPStatus.BAD_REQUEST, f"{name} is a whole number, 0 or more, or null for none")
    found: int | None = value
    return found


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)
