from __future__ import annotations

from azure.batch.aio import BatchClient

from tests.conformance.clients import RawClient, sh


async def test_files_of_a_task_that_never_ran_are_unavailable(raw: RawClient, idle_job: str) -> None:
    await raw.post(f"{idle_job}/tasks", {"id": "t", "commandLine": "x"})
    answer = await raw.send("GET", f"{idle_job}/tasks/t/files/stdout.txt")
    assert (answer.status, answer.json()["code"]) == (409, "TaskFilesUnavailable")


async def test_a_file_is_told_as_recorded(raw: RawClient, job: str) -> None:
    await raw.post(f"{job}/tasks", {"id": "t", "commandLine": sh("printf hello; mkdir a; echo > a/b")})
    await raw.task_in("completed")
    path = f"{job}/tasks/t/files/stdout.txt"
    whole = await raw.send("GET", path)
    assert whole.body == b"hello"
    assert whole.headers["Content-Type"] == "text/plain"
    assert whole.headers["Transfer-Encoding"] == "chunked"
    assert whole.headers["ocp-batch-file-isdirectory"] == "False"
    assert whole.headers["ocp-batch-file-mode"].startswith("0o100")
    assert whole.headers["ocp-batch-file-url"] == f"{raw.url}{path}".replace(":", "%3A").replace("/", "%2F")
    assert not {"ETag", "Content-Length", "ocp-creation-time", "Accept-Ranges"} & set(whole.headers)
    head = await raw.send("HEAD", path)
    assert (head.headers["Content-Length"], head.body) == ("5", b"")
    part = await raw.send("GET", path, headers={"ocp-range": "bytes=1-2"})
    assert (part.status, part.body) == (200, b"el")
    beyond = await raw.send("GET", path, headers={"ocp-range": "bytes=5-"})
    assert (beyond.status, beyond.json()["code"]) == (416, "InvalidRange")
    listed = await raw.get(f"{job}/tasks/t/files")
    facts = {one["name"]: one for one in listed["value"]}
    assert facts["wd"] == {"name": "wd", "url": f"{raw.url}{job}/tasks/t/files/wd", "isDirectory": True}
    assert facts["stdout.txt"]["properties"]["contentLength"] == "5"
    busy = await raw.send("DELETE", f"{job}/tasks/t/files/wd%2Fa")
    assert busy.status == 400
    assert (await raw.send("DELETE", f"{job}/tasks/t/files/wd%2Fa", query="recursive=true")).status == 200
    escaped = await raw.send("GET", f"{job}/tasks/t/files/..%2F..%2F..%2F..%2Fshared")
    assert escaped.status == 404


async def test_a_file_with_an_odd_name_is_read_by_the_sdk(
    client: BatchClient, raw: RawClient, job: str
) -> None:
    name = "a b&c=d+e%!$'(),;:@é#?.txt"
    body = {
        "id": "t",
        "commandLine": "/bin/sh -c 'printf hi > \"$NAME\"'",
        "environmentSettings": [{"name": "NAME", "value": name}],
    }
    await raw.post(f"{job}/tasks", body)
    await raw.task_in("completed")
    content = b"".join([piece async for piece in await client.download_task_file("j", "t", f"wd/{name}")])
    assert content == b"hi"
