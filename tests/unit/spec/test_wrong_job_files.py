from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator import SpecError
from orchestrator.spec import load_job, new_run_id, parse_job, plan_run
from tests.unit.spec.job_files import small, with_pool, with_task

HOOK: dict[str, Any] = {"commands": ["true"]}
SAS = "https://x.blob.core.windows.net/c/b?sv=2024-01-01&sig=abc%3D"
WRITTEN_DOWN = 'a signature or key must not be written down; give the value as { secret = "env:NAME" }'
FACTORY: dict[str, Any] = {"per_file": "data/*.txt", "command_line": "wc {file}"}

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": (with_pool(vmsize="x"), 'pool.vmsize: unknown key; did you mean "vm_size"?'),
    "unknown key at the top": (small(timeouts="1m"), 'timeouts: unknown key; did you mean "timeout"?'),
    "key that only loading sets": (small(base_dir="/"), "base_dir: unknown key"),
    "unknown key in the job table": (small(job={"prio": 1}), "job.prio: unknown key; known are environment"),
    "key in both places": (small(job={"priority": 1}, priority=2), "job.priority: is given twice"),
    "job table that is none": (small(job=3), "job: is a table"),
    "missing key": (small(id=None), "id: is missing"),
    "missing key in a list": (small(tasks=[{"id": "a"}]), "tasks[0].command_line: is missing"),
    "wrong type": (
        with_pool(target_dedicated_nodes="2"),
        "pool.target_dedicated_nodes: expected a whole number",
    ),
    "wrong type in a list": (
        with_task(output_files=["a", 3]),
        "tasks[0].output_files[1]: expected text or a table, got a whole number",
    ),
    "wrong word": (
        small(cleanup={"pool": "sometimes"}),
        "cleanup.pool: 'sometimes' is not one of never, on_success, always, ask",
    ),
    "duration without unit": (small(timeout="20"), "timeout: '20' is not a length of time"),
    "duration that is a number": (small(timeout=20), "timeout: a length of time is text with a unit"),
    "no time at all": (small(timeout="0s"), "timeout: must be longer than nothing"),
    "wall clock time too short": (
        small(timeout="2h", max_wall_clock_time="1h"),
        "max_wall_clock_time: PT1H is shorter than timeout (PT2H)",
    ),
    "id with a space": (small(id="my job"), "id: \"my job\" has ' ' in it"),
    "id too long": (small(id="x" * 65), 'id: "' + "x" * 65 + '" has 65 characters'),
    "id too long with the run in it": (small(id="{run}" + "x" * 43), "id: "),
    "unknown placeholder in an id": (small(pool={"id": "p-{user}"}), "pool.id: \"p-{user}\" has '{' in it"),
    "empty task id": (with_task(id=""), "tasks[0].id: an id can't be empty"),
    "ids that differ in case": (
        small(tasks=[{"id": "A", "command_line": "true"}, {"id": "a", "command_line": "true"}]),
        'tasks[1].id: "a" is the id of tasks[0] too',
    ),
    "priority out of range": (small(priority=1001), "priority: 1001 is not between"),
    "priority in the job table": (small(job={"priority": -1001}), "job.priority: -1001 is not between"),
    "no tasks": (small(tasks=None), "tasks: the job has nothing to do"),
    "image missing": (with_pool(image=None), "pool.image: is missing"),
    "vm size missing": (with_pool(vm_size=None), "pool.vm_size: is missing"),
    "nodes for a pool that exists": (
        small(pool={"id": "p", "target_dedicated_nodes": 2}),
        "pool.target_dedicated_nodes: means nothing for a pool that exists",
    ),
    "no nodes": (with_pool(target_dedicated_nodes=0), "pool.target_dedicated_nodes: the pool would have no"),
    "negative nodes": (with_pool(target_low_priority_nodes=-1), "pool.target_low_priority_nodes: -1 nodes"),
    "nodes and a formula": (
        with_pool(rest={"enableAutoScale": True}),
        "pool.rest.enableAutoScale: goes with",
    ),
    "no slots": (with_pool(task_slots_per_node=0), "pool.task_slots_per_node: 0 is not between 1 and 256"),
    "more slots than a node has": (
        with_pool() | {"tasks": [{"id": "a", "command_line": "true", "required_slots": 2}]},
        "tasks[0].required_slots: 2 slots are more than a node has",
    ),
    "no required slot": (with_task(required_slots=0), "tasks[0].required_slots: must be 1 or more"),
    "id in rest": (with_task(rest={"id": "x"}), "tasks[0].rest.id: give it as tasks[0].id"),
    "empty command": (with_task(command_line="  "), "tasks[0].command_line: is empty"),
    "NUL in a command": (with_task(command_line="a\0b"), "tasks[0].command_line: has a NUL character"),
    "file placeholder without file": (
        with_task(command_line="wc {file}"),
        "tasks[0].command_line: {file} stands",
    ),
    "file placeholder in quotes": (
        with_task(file="a", command_line='wc "{file}"'),
        "tasks[0].command_line: {file} is inside double quotes",
    ),
    "no application": (
        with_task(command_line="{application}/x"),
        "tasks[0].command_line: {application} stands",
    ),
    "application without shell": (
        with_task(command_line="{application}/x", shell=False) | {"application": {"files": ["x"]}},
        "tasks[0].command_line: {application} needs a shell",
    ),
    "application in a start task": (
        with_pool(start_task={"commands": ["true", "{application}/x"]}) | {"application": {"files": ["x"]}},
        "pool.start_task.commands[1]: {application} stands for nothing",
    ),
    "hook without commands": (small(job={"preparation": {"commands": []}}), "job.preparation.commands: give"),
    "unknown key in a hook": (
        small(job={"release": {"commands": ["true"], "elevate": True}}),
        'job.release.elevate: unknown key; did you mean "elevated"?',
    ),
    "resource file with two sources": (
        with_task(resource_files=["a", {"path": "a", "http_url": "https://x/y"}]),
        "tasks[0].resource_files[1]: has path and http_url; give one",
    ),
    "resource file without source": (
        with_task(resource_files=[{"file_path": "a"}]),
        "tasks[0].resource_files[0]: has no",
    ),
    "address without a name": (
        with_task(resource_files=[{"http_url": "https://x/y"}]),
        "tasks[0].resource_files[0].file_path: is missing",
    ),
    "address of another kind": (
        with_task(resource_files=[{"http_url": "ftp://x/y", "file_path": "y"}]),
        "tasks[0].resource_files[0].http_url: is not an http or https address",
    ),
    "prefix without container": (
        with_task(resource_files=[{"path": "a", "blob_prefix": "b"}]),
        "tasks[0].resource_files[0].blob_prefix: goes only with",
    ),
    "absolute path on the node": (
        with_task(resource_files=[{"path": "a", "file_path": "/etc/passwd"}]),
        'tasks[0].resource_files[0].file_path: "/etc/passwd" is absolute',
    ),
    "path out of the folder": (
        with_task(resource_files=[{"path": "a", "file_path": "x/../../y"}]),
        'tasks[0].resource_files[0].file_path: "x/../../y" leads out',
    ),
    "mode that is none": (
        with_task(resource_files=[{"path": "a", "file_mode": "rwx"}]),
        'tasks[0].resource_files[0].file_mode: "rwx" is not an octal mode',
    ),
    "absolute pattern": (
        with_task(output_files=["/tmp/*"]),
        'tasks[0].output_files[0]: "/tmp/*" is absolute',
    ),
    "pattern of another variable": (
        with_task(output_files=[{"pattern": "$HOME/*"}]),
        'tasks[0].output_files[0].pattern: "$HOME/*" begins with a variable',
    ),
    "results outside": (
        with_task(output_files=[{"pattern": "*", "path": "../x"}]),
        'tasks[0].output_files[0].path: "../x" leads out',
    ),
    "other container for the program's own uploads": (
        with_task(upload="task", output_files=[{"pattern": "*", "container_url": {"secret": "env:X"}}]),
        "tasks[0].output_files[0].container_url: with upload",
    ),
    "variable's name": (small(environment={"A-B": "x"}), "environment.A-B: a variable's name is made of"),
    "taken name": (with_task(environment={"AZ_BATCH_X": "x"}), "tasks[0].environment.AZ_BATCH_X: names with"),
    "variable that is a number": (
        with_task(environment={"A": "x", "B": 3}),
        "tasks[0].environment.B: expected text or a table, got a whole number",
    ),
    "variable that is a table": (
        with_task(environment={"B": {"secrt": "env:X"}}),
        'tasks[0].environment.B: is text, or { secret = "env:NAME" }',
    ),
    "reference of no kind": (
        small(environment={"A": {"secret": "hunter2"}}),
        "environment.A: a secret is given as env:NAME or file:PATH",
    ),
    "signature in an address": (
        with_task(resource_files=[{"http_url": SAS, "file_path": "b"}]),
        f"tasks[0].resource_files[0].http_url: {WRITTEN_DOWN}",
    ),
    "signature in a command": (with_task(command_line=f"curl '{SAS}'"), "tasks[0].command_line: a signature"),
    "signature in the environment": (small(environment={"U": SAS}), "environment.U: a signature"),
    "signature in rest": (
        with_pool(rest={"mounts": [{"url": SAS}]}),
        "pool.rest.mounts[0].url: a signature",
    ),
    "account key": (
        small(environment={"C": "AccountName=x;AccountKey=" + "A" * 86 + "=="}),
        "environment.C: a signature or key",
    ),
    "half a character": (
        with_task(command_line="echo \ud800"),
        'tasks[0].command_line: "echo \\ud800" is not Uni',
    ),
    "number without end": (small(rest={"a": [1.0, float("inf")]}), "rest.a[1]: inf is not a number"),
    "thing that is not JSON": (with_task(rest={"a": b"x"}), "tasks[0].rest.a: a bytes is not JSON"),
    "factory of nothing": (
        small(task_factory={"command_line": "true"}),
        "task_factory: give per_file, such as data/*.txt, or count, how many tasks",
    ),
    "factory of files and a number": (
        small(task_factory={**FACTORY, "count": 2}),
        "task_factory.count: the files of per_file say how many there are",
    ),
    "factory of no task": (
        small(task_factory={"count": 0, "command_line": "true"}),
        "task_factory.count: must be from 1 to 10,000,000",
    ),
    "file of a factory without files": (
        small(task_factory={"count": 2, "command_line": "wc {file}"}),
        "task_factory.command_line: {file} stands for nothing: give the task a file",
    ),
    "factory without patterns": (
        small(task_factory={**FACTORY, "per_file": []}),
        "task_factory.per_file: give at",
    ),
    "unlimited downwards": (small(max_task_retry_count=-2), "max_task_retry_count: must be -1"),
}


@pytest.mark.parametrize(("plain", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_job_file_is_refused_with_its_place(plain: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_job(plain, where="job.toml")
    assert str(caught.value).startswith(f"job.toml: {message}")
    assert caught.value.where.startswith("job.toml: ")


@pytest.mark.parametrize(("plain", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_message_never_shows_a_signature_or_what_stands_for_a_secret(
    plain: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        parse_job(plain)
    assert "sig=" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("job.toml", b'id = "x"\npool = {', "job.toml: line 2, column 9: "),
        ("job.toml", b'id = "x"\nid = "y"\n', "job.toml: line 2, column 9: Cannot overwrite a value"),
        ("job.toml", b"id = \n", "job.toml: line 1, column 6: Invalid value"),
        ("job.toml", b'id = "x"\n# caf\xe9\n', "job.toml: line 2, column 6: is not UTF-8"),
        ("job.toml", b"id = 2026-11-22\n", "job.toml: id: a date is not JSON; write it in quotes"),
        ("job.toml", b"", "job.toml: id: is missing"),
        ("job.json", b'{"id": "x",\n "pool" 1}', "job.json: line 2, column 9: Expecting ':' delimiter"),
        ("job.json", b'{"id": "x", "id": "y"}', 'job.json: the key "id" is given twice'),
        ("job.json", b'{"priority": NaN}', "job.json: NaN is not JSON"),
        ("job.json", b"[" * 100_000, "job.json: is nested too deeply"),
        ("job.json", b"[]", "job.json: a job file is an object"),
        ("job.yaml", b"", "job.yaml: a job file's name ends in .toml or .json"),
    ],
)
def test_a_file_that_can_not_be_decoded_is_refused_with_line_and_column(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load_job(path)
    assert str(caught.value).startswith(message)


def test_a_missing_job_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^job\.toml: there is no such file: .*/job\.toml"):
        load_job(tmp_path / "job.toml")


def test_a_folder_is_no_job_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is a folder, not a job file"):
        load_job(tmp_path)


MISSING: dict[str, tuple[dict[str, Any], str]] = {
    "no match": (
        small(task_factory=FACTORY),
        'task_factory.per_file: no file matches "data/*.txt" (in ',
    ),
    "no match for one of two": (
        small(task_factory={**FACTORY, "per_file": ["folder/*.txt", "none/*.txt"]}),
        'task_factory.per_file[1]: no file matches "none/*.txt"',
    ),
    "same id for two": (
        small(task_factory={**FACTORY, "per_file": "folder/*.txt", "id": "one-id"}),
        'task_factory.id: 2 tasks would all be called "one-id"; put {index} in it',
    ),
    "id of a full task": (
        small(task_factory={**FACTORY, "per_file": "folder/a.txt", "id": "ONE"}),
        'task_factory.id: two tasks are called "ONE"',
    ),
    "missing file": (with_task(file="gone.txt"), 'tasks[0].file: there is no file "gone.txt"'),
    "missing resource": (
        with_task(resource_files=["folder/a.txt", {"path": "gone"}]),
        'tasks[0].resource_files[1].path: there is no file "gone"',
    ),
    "folder as resource": (
        with_task(resource_files=["folder"]),
        'tasks[0].resource_files[0]: "folder" is a folder',
    ),
    "resource of a hook": (
        small(job={"release": HOOK | {"resource_files": ["gone"]}}),
        'job.release.resource_files[0]: there is no file "gone"',
    ),
    "resource of a start task": (
        with_pool(start_task={"resource_files": ["gone"]}),
        'pool.start_task.resource_files[0]: there is no file "gone"',
    ),
    "two files for one place": (
        with_task(file="folder/a.txt", resource_files=["other/a.txt"]),
        'tasks[0].resource_files: two files would be "a.txt" on the node',
    ),
    "application": (
        small(application={"files": ["gone.py"]}),
        'application.files[0]: there is no file "gone.py"',
    ),
    "folder that is no package": (
        small(application={"files": ["folder"]}),
        'application.files[0]: "folder" is a folder without __init__.py',
    ),
    "application files of one name": (
        small(application={"files": ["folder/a.txt", "other/a.txt"]}),
        'application.files[1]: "other/a.txt" and "folder/a.txt" would both be "a.txt"',
    ),
    "download folder that is a file": (small(download_dir="folder/a.txt"), "download_dir: "),
    "secret that is not set": (
        small(environment={"T": {"secret": "env:MY_TOKEN"}}),
        "environment.T: the environment variable MY_TOKEN is not set",
    ),
    "secret in no file": (small(environment={"T": {"secret": "file:token"}}), "environment.T: "),
    "link that leads nowhere": (
        with_task(file="dangling"),
        'tasks[0].file: "dangling" is a link that leads nowhere',
    ),
}


@pytest.mark.parametrize(("plain", "message"), MISSING.values(), ids=MISSING.keys())
def test_what_is_missing_on_this_machine_is_told_with_its_place(
    tmp_path: Path, plain: dict[str, Any], message: str
) -> None:
    for name in ("folder/a.txt", "folder/b.txt", "other/a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "dangling").symlink_to("nowhere")
    job = parse_job(plain, base_dir=tmp_path, where="job.toml")
    with pytest.raises(SpecError) as caught:
        plan_run(job, new_run_id(), environ={})
    assert str(caught.value).startswith(f"job.toml: {message}")
