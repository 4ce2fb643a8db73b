from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import SpecError
from orchestrator.spec import PlannedTask, TaskSpec, expand_commands, planned_command
from orchestrator.spec.placeholders import PlaceholderKind, placeholder_problem, used_placeholders
from orchestrator.spec.quoting import Quoting, quoting_at

_names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)


def _planned(
    command_line: str, *, shell: bool = True, name: str | None = "a.txt", index: int = 3
) -> PlannedTask:
    spec = TaskSpec(id="t", command_line=command_line, shell=shell)
    return PlannedTask(id="t", index=index, spec=spec, input_name=name, inputs=())


def _script(command_line: str, **keys: object) -> str:
    """What the shell gets."""
    line = planned_command(_planned(command_line, **keys), "r1", "app-1")  # type: ignore[arg-type]  # as _planned has them
    shell, option, script = shlex.split(line)
    assert (shell, option) == ("/bin/sh", "-c")
    return script


@pytest.mark.parametrize(
    ("template", "expanded"),
    [
        ("x {file}", "x ./a.txt"),
        ("x {index} {index:05} {index:02d}", "x 3 00003 03"),
        ("x {run}", "x r1"),
        ("x {application}/y", 'x "$AZ_BATCH_NODE_SHARED_DIR"/app-1/y'),
        ('x "{application}/y z"', 'x "${AZ_BATCH_NODE_SHARED_DIR}/app-1/y z"'),
        ("sh -c 'x {application}/y'", "sh -c 'x '\"$AZ_BATCH_NODE_SHARED_DIR\"/app-1'/y'"),
        ("x '{index}' \"{run}\"", "x '3' \"r1\""),
        ('x "$(wc {file})"', 'x "$(wc ./a.txt)"'),
    ],
)
def test_known_placeholders_are_replaced(template: str, expanded: str) -> None:
    assert _script(template) == expanded


@pytest.mark.parametrize(
    "literal",
    [
        "echo ${HOME} ${file} ${index} ${run:-x}",
        """echo '{"a": 1}'""",
        "awk '{print $1}' x",
        "echo {a,b} {} {{}} {File} {file:5} {index:x} {run:3} { file }",
    ],
)
def test_every_other_brace_is_literal(literal: str) -> None:
    assert _script(literal) == literal


@given(_names)
def test_a_name_is_one_argument_whatever_is_in_it(name: str) -> None:
    assert shlex.split(_script("wc {file} --x={file}", name=name)) == ["wc", f"./{name}", f"--x=./{name}"]


@given(_names)
def test_without_a_shell_a_name_is_one_argument_too(name: str) -> None:
    line = planned_command(_planned("wc -w {file}", shell=False, name=name), "r", None)
    assert shlex.split(line) == ["wc", "-w", f"./{name}"]


def test_without_a_shell_the_line_is_sent_as_it_stands() -> None:
    line = planned_command(_planned("cmd /c echo %PATH% `x` {a}", shell=False), "r", None)
    assert line == "cmd /c echo %PATH% `x` {a}"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_text_without_braces_reaches_the_shell_as_it_is(text: str) -> None:
    template = text.replace("{", "").replace("}", "")
    assert _script(template) == template


@pytest.mark.parametrize(
    ("template", "quoting"),
    [
        ('x "{file}"', Quoting.DOUBLE),
        ("sh -c 'x {file}'", Quoting.SINGLE),
        ("x `wc {file}`", Quoting.BACKTICK),
        ("x ${y:-{file}}", Quoting.PARAMETER),
        ("x $(({file}))", Quoting.ARITHMETIC),
        ("true # {file}", Quoting.COMMENT),
        ("cat <<END\n{file}\nEND", Quoting.HERE_DOCUMENT),
        (r"x \{file}", Quoting.ESCAPED),
        (r"x \\\{file}", Quoting.ESCAPED),
        ('x "$(y "{file}")"', Quoting.DOUBLE),
        ('x "`y`{file}"', Quoting.DOUBLE),
        (r'x "\"{file}"', Quoting.DOUBLE),
        (r"x $'\'' {file}", Quoting.UNSURE),
        ('x "$(case y in a) echo "{file}";; esac)"', Quoting.UNSURE),
        ('x "${y:-\'"\'"\'}" {file}', Quoting.UNSURE),
    ],
)
def test_a_name_is_never_put_where_it_could_be_run(template: str, quoting: Quoting) -> None:
    start = template.index("{file}")
    assert quoting_at(template, {start: start + 6}, in_shell=True) == {start: quoting}
    with pytest.raises(SpecError, match="write it bare"):
        planned_command(_planned(template), "r", None)


@pytest.mark.parametrize(
    "template",
    [
        "x {file}",
        r"x \\{file}",
        'x "a" {file}',
        "x 'it' {file}",
        'x "it\'s" {file}',
        'x "$(wc {file})"',
        "x $(echo $(wc {file}))",
        "x ${y} {file}",
        'x "${y:-z}" {file}',
        "x `y` {file}",
        "# it's fine\nwc {file}",
        "x a#b {file}",
        "(cd y; wc {file})",
        "case y in a) wc {file};; esac",
        "wc {file} <<END\nx\nEND",
        "x $((1 << 2))\nwc {file}",
        "awk '{print $1}' {file}",
    ],
)
def test_a_name_may_stand_wherever_its_own_quotes_protect_it(template: str) -> None:
    start = template.index("{file}")
    assert quoting_at(template, {start: start + 6}, in_shell=True) == {start: Quoting.NONE}


def test_quotes_alone_count_where_no_shell_reads() -> None:
    assert (
        placeholder_problem("x `{file}` # {file}", in_shell=False, no_file=None, no_application="x") is None
    )
    problem = placeholder_problem("x '{file}'", in_shell=False, no_file=None, no_application="x")
    assert problem is not None


def test_the_placeholders_of_a_command_are_known() -> None:
    used = used_placeholders("x {file} {index:05} ${run}", in_shell=True)
    assert used == {PlaceholderKind.FILE, PlaceholderKind.INDEX}


def test_a_hooks_commands_know_the_run_and_the_application() -> None:
    commands = expand_commands(("mkdir {run}", "{application}/x"), run_id="r1", application_folder="app-1")
    assert commands == ("mkdir r1", '"$AZ_BATCH_NODE_SHARED_DIR"/app-1/x')
    with pytest.raises(SpecError, match="no application"):
        expand_commands(("{application}/x",), run_id="r1", application_folder=None)
    assert expand_commands(("x {index} {index:02}",), run_id="r", application_folder=None) == (
        "x {index} {index:02}",
    )


def test_an_odd_folder_is_quoted() -> None:
    assert planned_command(_planned("{application}/x", name=None), "r", "a b") == (
        "/bin/sh -c " + shlex.quote("\"$AZ_BATCH_NODE_SHARED_DIR\"/'a b'/x")
    )
