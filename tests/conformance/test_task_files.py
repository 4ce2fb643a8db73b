from __future__ import annotations

from azure.batch.aio import BatchClient

from tests.conformance.clients import RawClient, sh, until


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


async def test_files_go_when_their_retention_time_is_over(raw: RawClient, job: str) -> None:
    for name, span in (("t", "PT1S"), ("kept", "PT1H")):
        constraints = {"retentionTime": span}
        await raw.post(f"{job}/tasks", {"id": name, "commandLine": "true", "constraints": constraints})
    task = await raw.task_in("completed")
    kept = await raw.task_in("completed", "kept")
    info = task["nodeInfo"]
    folder = f"/pools/p/nodes/{info['nodeId']}/files/{info['taskRootDirectory'].replace('/', '%2F')}"
    assert (await raw.send("GET", f"{job}/tasks/t/files/stdout.txt")).status == 200
    assert (await raw.send("HEAD", folder)).status == 200
    await until(lambda: raw.send("HEAD", folder), lambda answer: answer.status == 404)
    gone = await raw.send("GET", f"{job}/tasks/t/files/stdout.txt")
    assert (gone.status, gone.json()["code"]) == (409, "TaskFilesCleanedup")
    assert (await raw.get(f"{job}/tasks/t"))["state"] == "completed"
    assert (await raw.stdout(kept["id"])) == ""


async def test_a_task_that_runs_again_keeps_its_files_for_another_while(raw: RawClient, job: str) -> None:
    body = {"id": "t", "commandLine": sh("exit 1"), "constraints": {"retentionTime": "PT1S"}}
    await raw.post(f"{job}/tasks", body)
    first = await raw.task_in("completed")
    await raw.post(f"{job}/tasks/t/reactivate")
    again = await until(
        lambda: raw.get(f"{job}/tasks/t"),
        lambda seen: (
            seen["state"] == "completed"
            and seen["executionInfo"]["endTime"] > first["executionInfo"]["endTime"]
        ),
    )
    assert again["executionInfo"]["exitCode"] == 1
    assert (await raw.send("GET", f"{job}/tasks/t/files/stdout.txt")).status == 200
    await until(
        lambda: raw.send("GET", f"{job}/tasks/t/files/stdout.txt"), lambda answer: answer.status == 409
    )
