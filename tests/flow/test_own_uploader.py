"""The program that the documentation gives for `upload = "task"`, as a task."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from orchestrator import JobSpec, Orchestrator

PAGE = Path(__file__).parents[2] / "docs/job-file.md"


async def test_the_documented_uploader_brings_its_output_here(
    orchestrator: Orchestrator, job: Callable[..., JobSpec], tmp_path: Path
) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "answer.py").write_text(program)
    task = {
        "id": "answer",
        "command_line": f"{shlex.quote(sys.executable)} answer.py",
        "resource_files": ["answer.py"],
        "upload": "task",
        "output_files": ["answer.txt"],
    }
    async with orchestrator:
        run = await orchestrator.submit(job(tasks=[task]))
        (result,) = [result async for result in run.results()]
    assert (result.exit_code, result.missing) == (0, ())
    found = {path.name: path.read_bytes() for path in result.outputs}
    assert found["answer.txt"] == b"42\n"
