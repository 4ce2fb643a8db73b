"""Command lines as the service gets them: placeholders replaced so that any file name survives."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from orchestrator.errors import SpecError
from orchestrator.spec.placeholders import Placeholder, PlaceholderKind, parse_command, placeholder_problem
from orchestrator.spec.planned import PlannedTask
from orchestrator.spec.quoting import Quoting

_SHARED = "AZ_BATCH_NODE_SHARED_DIR"


def planned_command(task: PlannedTask, run_id: str, application_folder: str | None) -> str:
    """The command line of a task, as the service gets it.

    Args:
        task: planned.
        run_id: of the run.
        application_folder: the application's folder below the node's shared directory, None without one.

    Returns:
        `/bin/sh -c '...'`, or with `shell = false` the expanded command line as it stands.

    Raises:
        SpecError: a placeholder stands for nothing, or where it can't be quoted.
    """
    expanded = expand_command(
        task.spec.command_line,
        in_shell=task.spec.shell,
        run_id=run_id,
        index=task.index,
        input_name=task.input_name,
        application_folder=application_folder,
    )
    return wrap_in_shell(expanded) if task.spec.shell else expanded


def expand_commands(
    commands: Iterable[str], *, run_id: str, application_folder: str | None
) -> tuple[str, ...]:
    """The shell commands of a start, preparation or release task with `{run}` and `{application}` replaced.

    Raises:
        SpecError: a placeholder stands for nothing there.
    """
    return tuple(
        expand_command(command, in_shell=True, run_id=run_id, application_folder=application_folder)
        for command in commands
    )


def expand_command(
    template: str,
    *,
    in_shell: bool,
    run_id: str,
    application_folder: str | None,
    index: int | None = None,
    input_name: str | None = None,
) -> str:
    """A command line with its placeholders replaced, not wrapped yet.

    Args:
        template: from the job file.
        in_shell: whether a shell will read it.
        run_id: for `{run}`.
        application_folder: for `{application}`.
        index: for `{index}`; None leaves it as it is.
        input_name: for `{file}`: the file's name on the node.

    Raises:
        SpecError: a placeholder stands for nothing, or where it can't be quoted.
    """
    problem = placeholder_problem(
        template,
        in_shell=in_shell,
        no_file=None if input_name is not None else "there is no file here",
        no_application=None if application_folder is not None else "there is no application here",
    )
    if problem:
        raise SpecError(problem, where="command_line")
    parts: list[str] = []
    for part in parse_command(template, in_shell=in_shell):
        if isinstance(part, str):
            parts.append(part)
        elif part.kind is PlaceholderKind.FILE:
            # "./" keeps a name that starts with a dash from being taken for an option.
            parts.append(shlex.quote(f"./{input_name}"))
        elif part.kind is PlaceholderKind.RUN:
            parts.append(run_id)
        elif part.kind is PlaceholderKind.APPLICATION:
            parts.append(_application(part, application_folder or ""))
        elif index is not None:
            parts.append(format(index, part.format))
        else:
            parts.append(f"{{index:{part.format}}}" if part.format else "{index}")
    return "".join(parts)


def wrap_in_shell(script: str) -> str:
    """A command line that runs the script in a shell; the service itself starts none."""
    return f"/bin/sh -c {shlex.quote(script)}"


def _application(part: Placeholder, folder: str) -> str:
    if part.quoting in (Quoting.DOUBLE, Quoting.HERE_DOCUMENT):
        return f"${{{_SHARED}}}/{folder}"
    path = f'"${_SHARED}"/{shlex.quote(folder)}'
    # Single quotes would keep the variable from being expanded: step out of them and in again.
    return f"'{path}'" if part.quoting is Quoting.SINGLE else path
