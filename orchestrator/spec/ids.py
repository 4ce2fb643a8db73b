"""Ids of jobs, pools, tasks and runs, the names of a run's containers, and `{run}` and `{index}` in them."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

from orchestrator.errors import SpecError

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RUN_ID = re.compile(r"[a-z0-9](?:-?[a-z0-9])*")
_LONGEST_RUN_ID = 40
_HASH = re.compile(r"[0-9a-f]{8,}")

INDEX_FORMAT = r"0?\d{0,2}d?"
"""What may stand after the colon of `{index:05}`; a width of two digits at most keeps the id short."""

_PLACEHOLDER = re.compile(rf"\{{(?:run|index(?::({INDEX_FORMAT}))?)\}}", re.ASCII)

SAMPLE_RUN_ID = "00000000t000000-000000"
"""As long as any run id that `new_run_id` makes: stands in for one that is not known yet."""


def id_problem(text: str) -> str | None:
    """Why the service would refuse this id, or None where it would not."""
    if _ID.fullmatch(text):
        return None
    if not text:
        return "an id can't be empty"
    if len(text) > 64:  # noqa: PLR2004 - the service's limit, told in the message
        return f'"{text}" has {len(text)} characters; an id has 64 at most'
    odd = next(character for character in text if not _ID.fullmatch(character))
    return f'"{text}" has {odd!r} in it; ids are made of letters, digits, "-" and "_"'


def has_index(template: str) -> bool:
    """Whether the template gives a different id to each task."""
    return any(match[0] != "{run}" for match in _PLACEHOLDER.finditer(template))


def expand_run(template: str, run_id: str) -> str:
    """The template with `{run}` replaced and everything else as it is."""
    return template.replace("{run}", run_id)


def expand_id(template: str, *, run_id: str, index: int | None = None) -> str:
    """The template with `{run}`, and for a task `{index}` or `{index:05}`, replaced.

    Args:
        template: from the job file.
        run_id: of the run.
        index: of the task; None leaves `{index}` as it is, which no id may have.
    """

    def replace(match: re.Match[str]) -> str:
        if match[0] == "{run}":
            return run_id
        return match[0] if index is None else format(index, match[1] or "")

    return _PLACEHOLDER.sub(replace, template)


def new_run_id(now: datetime | None = None) -> str:
    """A fresh run id such as `20261122t214455-3f9a1c`.

    Ids of different seconds sort as their times do. It is valid in ids and in container names.

    Args:
        now: the time it tells; the present by default.
    """
    stamp = (now or datetime.now(UTC)).astimezone(UTC)
    return f"{stamp:%Y%m%dt%H%M%S}-{secrets.token_hex(3)}"


def check_run_id(run_id: str) -> str:
    """The run id itself, if containers can be named after it.

    Raises:
        SpecError: it has other characters than lower-case letters, digits and single dashes, or is too long.
    """
    if len(run_id) > _LONGEST_RUN_ID or not _RUN_ID.fullmatch(run_id):
        raise SpecError(
            f'"{run_id}" is no run id: lower-case letters, digits and single dashes between them, '
            f"{_LONGEST_RUN_ID} at most"
        )
    return run_id


def input_container(run_id: str) -> str:
    """The container of a run's inputs."""
    return f"in-{check_run_id(run_id)}"


def output_container(run_id: str) -> str:
    """The container of a run's outputs."""
    return f"out-{check_run_id(run_id)}"


def application_container(content_hash: str) -> str:
    """The container of an application, named by its content, so that runs share it.

    Args:
        content_hash: hexadecimal; its first 40 digits are used, since a container's name has 63 at most.

    Raises:
        SpecError: it is no hash.
    """
    lowered = content_hash.lower()
    if not _HASH.fullmatch(lowered):
        raise SpecError(f'"{content_hash}" is no hexadecimal hash')
    return f"app-{lowered[:40]}"
