"""Who may come in, and what every answer looks like."""

from __future__ import annotations

import base64
import os
import re
from urllib.parse import urlsplit

import pytest
from azure.batch.aio import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError

from orchestrator.local.batch.endpoint import BatchEndpoint
from orchestrator.local.batch.routes import OPERATIONS
from tests.conformance.clients import ACCOUNT, KEY, RawClient, code_of, pool_body
from tests.conformance.waiting import listeners

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


async def test_every_answer_has_the_standard_headers(raw: RawClient) -> None:
    for answer in (await raw.send("GET", "/pools"), await raw.send("GET", "/pools/none")):
        assert GUID.match(answer.headers["request-id"])
        assert answer.headers["DataServiceVersion"] == "3.0"
        assert answer.headers["Server"] == "Microsoft-HTTPAPI/2.0"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
        assert answer.headers["Content-Type"] == "application/json;odata=minimalmetadata"
        assert "client-request-id" not in answer.headers
        assert "Retry-After" not in answer.headers


async def test_an_error_tells_its_request_and_is_the_reason_phrase(raw: RawClient) -> None:
    answer = await raw.send("GET", "/jobs/none")
    assert (answer.status, answer.reason) == (404, "The specified job does not exist.")
    assert answer.headers["Content-Length"] == str(len(answer.body))
    body = answer.json()
    assert body["code"] == "JobNotFound"
    assert body["message"]["lang"] == "en-US"
    assert re.fullmatch(
        rf"The specified job does not exist\.\nRequestId:{answer.headers['request-id']}\n"
        r"Time:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z",
        body["message"]["value"],
    )
    assert "values" not in body


async def test_a_client_request_id_comes_back_only_when_asked_for(raw: RawClient) -> None:
    silent = await raw.send("GET", "/pools", headers={"client-request-id": "x"})
    assert "client-request-id" not in silent.headers
    asked = await raw.send(
        "GET", "/pools", headers={"client-request-id": "x", "return-client-request-id": "True"}
    )
    assert asked.headers["client-request-id"] == "x"


@pytest.mark.parametrize(
    ("version", "code"),
    [(None, "MissingRequiredQueryParameter"), ("2099-01-01", "UnsupportedRequestVersion")],
)
async def test_an_api_version_is_needed_and_known(raw: RawClient, version: str | None, code: str) -> None:
    answer = await raw.send("GET", "/pools", version=version)
    assert (answer.status, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize(
    ("request_line", "status", "code"),
    [
        ("GET /nothing ", 404, "ResourceNotFound"),
        ("GET /certificates ", 404, "ResourceNotFound"),
        ("PUT /pools ", 405, "UnsupportedHttpVerb"),
        ("GET /pools colour=red", 400, "UnsupportedQueryParameter"),
        ("GET /pools maxresults=-5", 400, "InvalidQueryParameterValue"),
        ("GET /pools maxresults=1001", 400, "OutOfRangeQueryParameterValue"),
        ("GET /pools $filter=nope", 400, "InvalidQueryParameterValue"),
        ("GET /pools $select=id,nope", 400, "InvalidQueryParameterValue"),
        ("GET /pools $skiptoken=foreign", 400, "InvalidQueryParameterValue"),
        ("POST /pools ", 400, "MissingRequiredProperty"),
        ("GET /pools timeout=30", 200, None),
        ("GET /pools timeOut=30", 200, None),
    ],
)
async def test_what_the_url_asks_for_must_exist(
    raw: RawClient, request_line: str, status: int, code: str | None
) -> None:
    method, path, query = request_line.split(" ")
    answer = await raw.send(method, path, query=query)
    assert (answer.status, answer.json().get("code")) == (status, code)


async def test_a_body_must_be_a_json_object(raw: RawClient) -> None:
    for body in (b"{", b"[]", b"\xff"):
        answer = await raw.send("POST", "/pools", body)
        assert (answer.status, answer.json()["code"]) == (400, "InvalidRequestBody")


async def test_a_body_over_a_mebibyte_is_refused(raw: RawClient) -> None:
    answer = await raw.send("POST", "/pools", b" " * (1024 * 1024 + 1))
    assert (answer.status, answer.json()["code"]) == (413, "RequestBodyTooLarge")
    assert answer.json()["values"] == [{"key": "MaxLimit", "value": "1048576"}]


async def test_a_wrong_key_is_refused_with_403(endpoint: BatchEndpoint) -> None:
    wrong = AzureNamedKeyCredential(ACCOUNT, base64.b64encode(b"wrong").decode())
    async with BatchClient(endpoint.url, wrong, use_env_settings=False) as client:
        with pytest.raises(HttpResponseError) as refusal:
            await client.get_pool("p")
    assert refusal.value.status_code == 403
    assert code_of(refusal.value) == "AuthenticationFailed"


async def test_no_signature_is_refused_and_the_key_is_told_nobody(raw: RawClient) -> None:
    answer = await raw.send("GET", "/pools", headers={"Authorization": ""})
    assert (answer.status, answer.json()["code"]) == (403, "AuthenticationFailed")
    assert KEY not in answer.body.decode()


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example"}, {"Origin": "http://127.0.0.1"}]
)
async def test_a_page_in_a_browser_cannot_drive_the_service(raw: RawClient, headers: dict[str, str]) -> None:
    answer = await raw.send("POST", "/pools", pool_body(), headers=headers)
    assert answer.status == 403
    assert (await raw.get("/pools"))["value"] == []


@pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS if one.handler is None], ids=lambda operation: operation.name
)
async def test_an_operation_that_is_not_served_is_refused_by_name(raw: RawClient, operation: object) -> None:
    method, path, name = (getattr(operation, field) for field in ("method", "path", "name"))
    answer = await raw.send(method, re.sub(r"\{\w+\*?\}", "x", path))
    assert answer.status == 501
    if method != "HEAD":
        assert answer.json()["code"] == "NotImplemented"
        assert name in answer.json()["message"]["value"]


@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
async def test_a_page_in_a_browser_is_told_nothing(raw: RawClient, method: str) -> None:
    asked = {"Origin": "http://127.0.0.1", "Access-Control-Request-Method": "POST"}
    answer = await raw.send(method, "/pools", headers=asked)
    assert answer.status == 403
    assert [name for name in answer.headers if name.lower().startswith("access-control-")] == []


async def test_nothing_of_it_listens_beyond_loopback(raw: RawClient, job: str) -> None:
    await raw.nodes_in("idle", 1)
    assert job
    found = listeners(os.getpid())
    assert urlsplit(raw.url).port in {port for _, port in found}
    assert {address for address, _ in found} == {"127.0.0.1"}
