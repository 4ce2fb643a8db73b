"""msgspec knows each type before a thread decodes it: several that come to one at once crash the process."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

from tests.house.places import ROOT

PLAIN = """{
    "id": "job",
    "pool": {
        "id": "pool",
        "vm_size": "standard_d2s_v3",
        "image": {"publisher": "canonical", "offer": "ubuntu", "sku": "server"},
        "target_dedicated_nodes": 1,
    },
    "tasks": [{"id": "t", "command_line": "true", "environment": {"A": {"secret": "env:A"}}}],
}"""
PROGRAM = f"""
import sys
from orchestrator.spec import decode_job, encode_job, parse_job, plan_run
from orchestrator.spec.keep import decode_plan, encode_plan
from pathlib import Path

worked_out = []

def look(frame, event, _):
    if event == "call" and frame.f_code.co_filename.endswith("msgspec/_utils.py"):
        worked_out.append(frame.f_code.co_name)

sys.setprofile(look)
job = parse_job({PLAIN}, base_dir=Path.cwd(), where="job.json")
decode_job(encode_job(job))
decode_plan(encode_plan(plan_run(job, "20261128t000000-abcdef", environ={{"A": "a"}})))
sys.setprofile(None)
print(*worked_out)
"""
PLAIN_TYPES = {"dict", "list", "tuple"}


def decoded_at_first_use() -> Iterator[str]:
    """Where a type of ours is named to `msgspec.json.decode`, which works it out when it comes there."""
    for path in sorted((ROOT / "orchestrator").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) != "msgspec.json.decode":
                continue
            for keyword in node.keywords:
                named = ast.unparse(keyword.value).partition("[")[0]
                if keyword.arg == "type" and named not in PLAIN_TYPES:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}: {named}"


def test_structs_are_decoded_by_decoders_that_were_made_while_their_module_was_imported() -> None:
    # The local service decodes in its loop alone.
    assert [place for place in decoded_at_first_use() if not place.startswith("orchestrator/local/")] == []


def test_the_first_job_finds_all_its_types_known() -> None:
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == []
