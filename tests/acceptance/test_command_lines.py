"""Command lines given to the real shell of this machine."""

from __future__ import annotations

import os
import shlex
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator import SpecError
from orchestrator.spec import PlannedTask, TaskSpec, planned_command

_names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40)
_PIECES = (
    *(
        "{file}",
        "{file}",
        " ",
        "x",
        "'",
        '"',
        "\\",
        "`",
        "$(",
        ")",
        "${x:-",
        "}",
        "(",
        "#",
        "\n",
        "<<E",
        "$((",
    ),
    *("))", "case x in x)", ";; esac", "$'", ";", "echo "),
)
_pieces = st.sampled_from(_PIECES)


def _run(template: str, name: str) -> subprocess.CompletedProcess[bytes]:
    task = PlannedTask(
        id="t", index=0, spec=TaskSpec(id="t", command_line=template), input_name=name, inputs=()
    )
    return subprocess.run(
        shlex.split(planned_command(task, "r", None)),
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={"PATH": os.defpath},
        timeout=20,
    )


@settings(max_examples=150, deadline=None)
@given(_names)
@example("$(touch pwned)")
@example("`touch pwned`")
@example("-rf")
@example('it\'s "one"\nname\t')
@example("\\")
@example("*")
@example("{file}")
@example("имя файла.txt")
@example("\U0001f600\u202e\ufeff")
def test_a_shell_gets_exactly_the_name(name: str) -> None:
    ended = _run("printf %s {file}", name)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"./{name}".encode(), b"")


@settings(max_examples=300, deadline=None)
@given(st.lists(_pieces, max_size=12).map("".join))
@example('echo "{file}"')
@example("sh -c 'echo {file}'")
@example("echo `echo {file}`")
@example("cat <<E\n{file}\nE")
@example('x "$(case x in x) echo "{file}";; esac)"')
def test_no_name_is_run_however_odd_the_command(template: str) -> None:
    # The name runs echo wherever it gets out of its quotes, in each way there is.
    marks = ("$(echo pwned >&2)", "`echo pwned >&2`", "\necho pwned >&2\n", ";echo pwned >&2;")
    for mark in marks:
        for name in (mark, f"'{mark}'", f'"{mark}"'):
            try:
                ended = _run(template, name.replace("/", ""))
            except SpecError:
                return  # refused: nothing is run at all
            told = ended.stderr.decode().splitlines()
            assert "pwned" not in told, (template, name)


@pytest.mark.parametrize(
    "command", ["echo ${HOME-none}", """echo '{"a": 1}'""", "echo a b | awk '{print $2}'"]
)
def test_braces_that_are_no_placeholders_mean_what_they_mean_to_the_shell(command: str) -> None:
    task = PlannedTask(
        id="t", index=0, spec=TaskSpec(id="t", command_line=command), input_name=None, inputs=()
    )
    line = planned_command(task, "r", None)
    told = subprocess.run(
        shlex.split(line), check=True, capture_output=True, env={"PATH": os.defpath}, timeout=20
    )
    plain = subprocess.run(
        ["/bin/sh", "-c", command], check=True, capture_output=True, env={"PATH": os.defpath}, timeout=20
    )
    assert told.stdout == plain.stdout != b""
