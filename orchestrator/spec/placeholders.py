"""The placeholders of a command line, found once a template, and why one of them can't stand where it does.

Only `{file}`, `{index}`, `{index:05}`, `{run}` and `{application}` are placeholders. Every other brace is
literal, and so is `${file}`, which is the shell's own.
"""

from __future__ import annotations

import enum
import functools
import re

import msgspec

from orchestrator.spec.ids import INDEX_FORMAT
from orchestrator.spec.quoting import Quoting, quoting_at

_PATTERN = re.compile(rf"(?<!\$)\{{(?:(file|run|application)|index(?::({INDEX_FORMAT}))?)\}}", re.ASCII)


class PlaceholderKind(enum.StrEnum):
    """What a placeholder stands for."""

    FILE = "file"
    INDEX = "index"
    RUN = "run"
    APPLICATION = "application"


class Placeholder(msgspec.Struct, frozen=True, gc=False):
    """A placeholder at its place.

    Args:
        kind: what it stands for.
        quoting: what surrounds it.
        format: what follows the colon of `{index:05}`.
    """

    kind: PlaceholderKind
    quoting: Quoting
    format: str = ""


# A run has a handful of templates and up to a hundred thousand tasks of each.
@functools.lru_cache(maxsize=256)
def parse_command(template: str, *, in_shell: bool) -> tuple[str | Placeholder, ...]:
    """Split a command line into literal text and placeholders.

    Args:
        template: from the job file.
        in_shell: whether a shell reads it, which decides how it is quoted.
    """
    matches = list(_PATTERN.finditer(template))
    quoting = quoting_at(template, {match.start(): match.end() for match in matches}, in_shell=in_shell)
    parts: list[str | Placeholder] = []
    end = 0
    for match in matches:
        if match.start() > end:
            parts.append(template[end : match.start()])
        kind = PlaceholderKind(match[1] or "index")
        # What the scanner passed over as one escaped character has no entry: say that it is escaped.
        parts.append(Placeholder(kind, quoting.get(match.start(), Quoting.ESCAPED), match[2] or ""))
        end = match.end()
    if end < len(template):
        parts.append(template[end:])
    return tuple(parts)


def used_placeholders(template: str, *, in_shell: bool) -> frozenset[PlaceholderKind]:
    """The kinds of placeholder that a command line has."""
    parts = parse_command(template, in_shell=in_shell)
    return frozenset(part.kind for part in parts if isinstance(part, Placeholder))


def placeholder_problem(
    template: str, *, in_shell: bool, no_file: str | None, no_application: str | None
) -> str | None:
    """Why a command line can't be expanded, or None where it can.

    Args:
        template: from the job file.
        in_shell: whether a shell reads it.
        no_file: why `{file}` stands for nothing, None where it stands for a file.
        no_application: why `{application}` stands for nothing, None where there is one.
    """
    for part in parse_command(template, in_shell=in_shell):
        if isinstance(part, str):
            continue
        if part.kind is PlaceholderKind.FILE:
            if no_file is not None:
                return f"{{file}} stands for nothing: {no_file}"
            if part.quoting is not Quoting.NONE:
                return (
                    f"{{file}} is {part.quoting.value}, where a file's name could end up being run; it is "
                    "quoted already, so write it bare, and hand it to an inner shell as an argument: "
                    "sh -c 'wc \"$1\"' sh {file}"
                )
        if part.kind is PlaceholderKind.APPLICATION:
            if no_application is not None:
                return f"{{application}} stands for nothing: {no_application}"
            if not in_shell:
                return "{application} needs a shell, which knows the node's folder: leave out shell = false"
            if part.quoting in (Quoting.ESCAPED, Quoting.UNSURE):
                return f"{{application}} can't stand {part.quoting.value}"
    return None
