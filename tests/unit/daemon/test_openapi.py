from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from orchestrator.daemon.api.application import make_application
from orchestrator.daemon.api.openapi import describe
from orchestrator.daemon.api.table import ROUTES
from orchestrator.daemon.config import DaemonConfig
from orchestrator.daemon.service import DaemonService
from orchestrator.daemon.tokens import Scope
from tests.house.places import DOCS


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return describe(ROUTES)


def operations(description: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, item in description["paths"].items() for method in item}


PAGE = ("/", "/page/{name}", "/page/session")
"""What the page alone needs is no part of the API."""


def test_the_application_serves_what_is_described_and_the_page_and_nothing_else(
    description: dict[str, Any], tmp_path: Path
) -> None:
    app = make_application(DaemonService(DaemonConfig(state_dir=str(tmp_path)), environ={}))
    served = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.method != "HEAD" and route.resource is not None and route.resource.canonical not in PAGE
    }
    assert served == operations(description)


def test_every_reference_leads_to_a_schema_that_is_one(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    named = set(re.findall(r"'#/components/schemas/(\w+)'", str(description)))
    assert {"RunView", "Job", "Problem"} <= named
    assert named <= set(schemas)
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_whatever_acts_needs_the_token_for_writing() -> None:
    assert {route.scope for route in ROUTES if route.method == "GET"} == {Scope.READ, None}
    assert {route.scope for route in ROUTES if route.method != "GET" and route.path.startswith("/v1")} == {
        Scope.WRITE
    }


def test_every_operation_is_in_the_documentation(description: dict[str, Any]) -> None:
    page = (DOCS / "daemon.md").read_text()
    assert {
        f"{method} {path}" for method, path in operations(description) if f"`{method} {path}`" not in page
    } == set()
