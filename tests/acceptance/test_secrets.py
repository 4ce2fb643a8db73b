from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.jobs import write_job
from tests.acceptance.program import orchestrator

ENVIRONMENT = 'environment = { GOOD = { secret = "env:GOOD" }, BROKEN = { secret = "env:BROKEN" } }'


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_secret_that_is_no_text_is_refused_by_its_place_and_no_secret_is_shown(
    tmp_path: Path, env_file: Path, debug: str
) -> None:
    job = write_job(tmp_path, files=1, top=ENVIRONMENT)
    # What the system hands over as it stands: a byte that is no UTF-8.
    extra = {"GOOD": "the-other-secret", "BROKEN": "this-secret\udcff", "ORCHESTRATOR_DEBUG": debug}
    said = orchestrator("run", job, "--env-file", env_file, home=tmp_path, extra=extra)
    assert said.returncode == 2
    assert "job.toml: environment.BROKEN: the environment variable BROKEN is not UTF-8" in said.stderr
    for secret in ("the-other-secret", "this-secret"):
        assert secret not in said.stdout + said.stderr
