"""Refusals and errors as `application/problem+json` (RFC 9457), each with its remedy."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from aiohttp import web

from orchestrator.errors import DaemonError

CONTENT_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong.

    Args:
        type: `about:blank`: the status says the kind.
        title: the status in words.
        status: HTTP's.
        detail: what is wrong.
        remedy: what to do about it.
        where: the place in the job file.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    remedy: str = ""
    where: str = ""


def problem_response(error: DaemonError) -> web.Response:
    """The answer for a refusal."""
    problem = Problem(
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=error.title,
        remedy=error.remedy,
        where=error.where,
    )
    response = web.Response(status=error.status, body=msgspec.json.encode(problem), content_type=CONTENT_TYPE)
    if error.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def from_aiohttp(error: web.HTTPException) -> web.Response:
    """The answer for what aiohttp itself refuses, in our form; what it says of allowed methods is kept."""
    remedy = (
        "see /openapi.json" if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED} else ""
    )
    response = problem_response(DaemonError(error.reason, status=error.status, remedy=remedy))
    if allowed := error.headers.get("Allow"):
        response.headers["Allow"] = allowed
    return response
