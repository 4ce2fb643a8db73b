from __future__ import annotations

import os
import subprocess
import sys

import pytest

SECRET = "s3cret-value"
PROGRAM = """
import structlog
from {module} import {function}

def work(address):
    raise ValueError("it broke\\x1b[31m")

{function}()
try:
    work("-".join(["s3cret", "value"]))
except ValueError:
    structlog.get_logger().exception("run.defect", run="r-1", file="two\\nlines")
"""


def told_by(module: str, function: str, **extra: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module=module, function=function)],
        env={**os.environ, **extra},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout == ""
    return ended.stderr


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_defect_shows_a_plain_traceback_without_values_on_stderr(debug: str) -> None:
    told = told_by("orchestrator.cli.logs", "configure_logs", ORCHESTRATOR_DEBUG=debug)
    assert SECRET not in told
    first, *traceback = told.splitlines()
    assert "level='error' event='run.defect' run='r-1'" in first
    assert traceback[0] == "Traceback (most recent call last):"
    assert traceback[-1] == "ValueError: it broke\\x1b[31m"


def test_a_program_that_configured_nothing_sees_no_values_either() -> None:
    told = told_by("orchestrator.runtime.logs", "log_quietly_by_default")
    assert SECRET not in told
    assert "event='run.defect' run='r-1'" in told
    assert "ValueError: it broke" in told


LIBRARIES = """
import logging
from orchestrator.cli.logs import configure_logs

configure_logs()
logging.getLogger("asyncio").error("two\\nlines and \\x1b[31m")
logging.getLogger("azure.core").error("said in our own words")
"""


@pytest.mark.parametrize("debug", ["", "1"])
def test_what_libraries_log_is_one_line_and_the_sdk_is_heard_only_when_asked_for(debug: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LIBRARIES],
        env={**os.environ, "ORCHESTRATOR_DEBUG": debug},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    first, *others = ended.stderr.splitlines()
    assert "event='library.asyncio'" in first
    assert "\x1b" not in first
    assert len(others) == bool(debug)
