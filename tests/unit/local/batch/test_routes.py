from __future__ import annotations

import re
from pathlib import Path

from orchestrator.local.batch.routes import OPERATIONS

PAGE = Path(__file__).parents[4] / "docs" / "local-service.md"


def test_the_documented_table_is_the_table_of_routes() -> None:
    row = re.compile(r"^\| `(\w+)` \| (\w+) \| `([^`]+)` \| (served|501) \|$", re.MULTILINE)
    documented = row.findall(PAGE.read_text())
    assert documented == [
        (
            operation.name,
            operation.method,
            operation.path.replace("*", ""),
            "served" if operation.handler else "501",
        )
        for operation in OPERATIONS
    ]


def test_every_operation_of_the_api_is_there_once() -> None:
    assert len(OPERATIONS) == 72
    assert len({operation.name for operation in OPERATIONS}) == 72
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == 72
