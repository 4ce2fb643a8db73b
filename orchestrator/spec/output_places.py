"""Where an output of a task lies among its results: pure, from the pattern alone."""

from __future__ import annotations

from orchestrator.spec.files import OutputFile


def destination(output: OutputFile) -> str:
    """Where below the task's folder an output goes, so that the result lies where the node had it.

    The service keeps of a wildcard's matches only what lies below the pattern's fixed folders, and takes the
    path of a literal pattern as the whole name (REST: OutputFileBlobContainerDestination), so the fixed
    folders are put back.
    """
    if output.path is not None:
        return output.path.strip("/")
    fixed, moving = _split(output.pattern)
    if moving:
        return "/".join(fixed)
    return fixed[-1] if _is_outside(output.pattern) else "/".join(fixed)


def expected_results(output: OutputFile) -> str:
    """The glob, below the task's folder of results, that an output's files match once they are here."""
    _, moving = _split(output.pattern)
    return "/".join(part for part in (destination(output), *moving) if part)


def literal_result(output: OutputFile) -> str | None:
    """The one path, below the task's folder of results, that an output can have; None for a wildcard's."""
    _, moving = _split(output.pattern)
    return None if moving else destination(output) or None


def _split(pattern: str) -> tuple[list[str], list[str]]:
    """The fixed folders (or the whole of a literal pattern), and the rest from the first wildcard on."""
    parts = [part for part in pattern.split("/") if part not in ("", ".", "..") and part[0] not in "$%"]
    for index, part in enumerate(parts):
        if any(sign in part for sign in "*?["):
            return parts[:index], parts[index:]
    return parts, []


def _is_outside(pattern: str) -> bool:
    """Whether a literal pattern names a file outside the working directory: its folders mean nothing."""
    return pattern.startswith(("$", "%", ".."))
