"""The description of the API (OpenAPI 3.1), made from the same table as the application."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import web

from orchestrator.daemon.api.bodies import FORM, JSON, TOML
from orchestrator.daemon.api.problem import CONTENT_TYPE, Problem
from orchestrator.daemon.api.routing import Kind, Parameter, Route
from orchestrator.daemon.api.views import json_response
from orchestrator.daemon.service import DaemonService
from orchestrator.daemon.tokens import Scope
from orchestrator.spec import job_schema
from orchestrator.version import __version__

_VARIABLE = re.compile(r"\{(\w+)(?::([^{}]+))?\}")
_BODIES: dict[str, dict[str, Any]] = {
    JSON: {
        "type": "object",
        "properties": {"job": {"$ref": "#/components/schemas/Job"}},
        "required": ["job"],
        "additionalProperties": False,
    },
    TOML: {"type": "string"},
    FORM: {
        "type": "object",
        "properties": {
            "job": {"type": "string", "contentMediaType": "application/octet-stream"},
            "base": {"type": "string"},
            "file": {
                "type": "array",
                "items": {"type": "string", "contentMediaType": "application/octet-stream"},
            },
        },
        "required": ["job"],
    },
}
_ANY = {400: "The request can't be read.", 429: "Too many requests."}
_GUARDED = {401: "The token is missing or wrong.", 403: "The token does not allow this."}


async def description(_request: web.Request, _service: DaemonService) -> web.Response:
    """The description itself."""
    # Imported when it is asked for: the table has this very handler in it.
    from orchestrator.daemon.api.table import ROUTES  # noqa: PLC0415

    return json_response(describe(ROUTES))


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """The description of these routes.

    Args:
        routes: in the order in which they are listed.
    """
    routes = tuple(routes)
    schemas = {answer.schema for route in routes for answer in route.answers if answer.schema}
    _, components = msgspec.json.schema_components(
        [*sorted(schemas, key=lambda schema: schema.__name__), Problem],
        ref_template="#/components/schemas/{name}",
    )
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = _VARIABLE.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "orchestrator daemon",
            "version": __version__,
            "description": "Takes jobs for Azure Batch, runs them, and tells how they go.",
        },
        "paths": paths,
        "components": {
            "schemas": {**components, **_job_components()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _job_components() -> dict[str, Any]:
    """The job file's own schema, its parts moved to where the description keeps them."""

    def moved(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: f"#/components/schemas/{item.rpartition('/')[2]}" if key == "$ref" else moved(item)
                for key, item in value.items()
                if key not in {"$schema", "$id"}
            }
        return [moved(item) for item in value] if isinstance(value, list) else value

    schema: dict[str, Any] = moved(job_schema())
    parts: dict[str, Any] = schema.pop("$defs", {})
    return {**parts, "Job": schema}


def _operation(route: Route) -> dict[str, Any]:
    guarded = route.scope is not None
    problems = {**_ANY, **(_GUARDED if guarded else {}), **dict.fromkeys(route.problems, "Refused.")}
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.told,
        "parameters": [*_path_parameters(route.path), *map(_parameter, route.parameters)],
        "responses": {
            **{str(status): _problem(told) for status, told in sorted(problems.items())},
            **{
                str(answer.status): _answer(answer.told, answer.content, answer.schema)
                for answer in route.answers
            },
        },
        "security": [{"token": []}] if guarded else [],
    }
    if route.scope is Scope.WRITE:
        operation["description"] = "Needs the token for writing."
    if route.takes:
        content = {kind: {"schema": _BODIES[kind]} for kind in route.takes}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _path_parameters(path: str) -> list[dict[str, Any]]:
    found = []
    for name, pattern in _VARIABLE.findall(path):
        schema: dict[str, Any] = {"type": "string"}
        if "|" in pattern:
            schema["enum"] = pattern.split("|")
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    return found


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.kind.value}
    if parameter.values:
        schema["enum"] = list(parameter.values)
    least, most = ("minLength", "maxLength") if parameter.kind is Kind.TEXT else ("minimum", "maximum")
    if parameter.least is not None:
        schema[least] = parameter.least
    if parameter.most is not None:
        schema[most] = parameter.most
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.told,
        "required": False,
        "schema": schema,
    }


def _problem(told: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {"description": told, "content": {CONTENT_TYPE: {"schema": schema}}}


def _answer(told: str, content: str, schema: type | None) -> dict[str, Any]:
    if not content:
        return {"description": told}
    shape = {"$ref": f"#/components/schemas/{schema.__name__}"} if schema is not None else {}
    return {"description": told, "content": {content: {"schema": shape}}}
