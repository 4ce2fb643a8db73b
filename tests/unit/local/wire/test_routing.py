from __future__ import annotations

import pytest

from orchestrator.local.wire.api_error import ApiError
from orchestrator.local.wire.routing import Operation, Router

ROUTER: Router[None] = Router(
    [
        Operation(name="list", method="GET", path="/jobs"),
        Operation(name="get", method="GET", path="/jobs/{jobId}"),
        Operation(name="files", method="GET", path="/jobs/{jobId}/files"),
        Operation(name="file", method="GET", path="/jobs/{jobId}/files/{filePath*}"),
        Operation(name="disable", method="POST", path="/jobs/{jobId}/disable"),
    ]
)


@pytest.mark.parametrize(
    ("path", "name", "parameters"),
    [
        ("/jobs", "list", {}),
        ("/jobs/", "list", {}),
        ("/jobs/a%20b", "get", {"jobId": "a b"}),
        ("/jobs/files", "get", {"jobId": "files"}),
        ("/jobs/a/files", "files", {"jobId": "a"}),
        ("/jobs/a/files/wd%2Fx%252Fy.txt", "file", {"jobId": "a", "filePath": "wd/x%2Fy.txt"}),
        ("/jobs/a/files/wd/x/y.txt", "file", {"jobId": "a", "filePath": "wd/x/y.txt"}),
    ],
)
def test_a_raw_path_leads_to_its_operation(path: str, name: str, parameters: dict[str, str]) -> None:
    operation, found = ROUTER.find("GET", path)
    assert (operation.name, found) == (name, parameters)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/nope", 404),
        ("GET", "/jobs/a/nope", 404),
        ("GET", "/jobs//files", 404),
        ("PUT", "/jobs/a", 405),
        ("GET", "/jobs/a/disable", 405),
    ],
)
def test_an_unknown_path_or_method_is_refused(method: str, path: str, status: int) -> None:
    with pytest.raises(ApiError) as refusal:
        ROUTER.find(method, path)
    assert refusal.value.status == status
