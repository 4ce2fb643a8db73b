"""Where the values are that a job file only refers to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import SpecError
from orchestrator.spec.secret import SecretReference, SecretText

_VARIABLE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")


def resolve(
    value: str | SecretReference, environ: Mapping[str, str], base_dir: str | Path, *, where: str = ""
) -> SecretText:
    """The value that a job file gives, or refers to.

    Args:
        value: the value itself, or a reference.
        environ: where `env:NAME` is looked up.
        base_dir: what `file:PATH` is relative to.
        where: the place in the job file, for the error.

    Returns:
        The value, wrapped so that it shows itself nowhere.

    Raises:
        SpecError: the reference has no valid form, what it names is not there, or it is no text that could be
            sent; the value is never told.
    """
    if isinstance(value, str):
        _check_text(value, "the value", where)
        return SecretText(value)
    problem = reference_problem(value)
    if problem:
        raise SpecError(problem, where=where)
    kind, _, name = value.secret.partition(":")
    if kind == "env":
        found = environ.get(name)
        if not found:
            state = "is not set" if found is None else "is empty"
            raise SpecError(f"the environment variable {name} {state}", where=where)
        _check_text(found, f"the environment variable {name}", where)
        return SecretText(found)
    return SecretText(_read(Path(base_dir) / name, where))


def reference_problem(reference: SecretReference) -> str | None:
    """Why a reference has no valid form, or None where it has."""
    kind, _, name = reference.secret.partition(":")
    if _VARIABLE.fullmatch(reference.secret) or (kind == "file" and name.strip() and "\0" not in name):
        return None
    # Not shown: who writes the value where its reference belongs must not find it in a log.
    return "a secret is given as env:NAME or file:PATH"


def _check_text(value: str, what: str, where: str) -> None:
    # Python keeps bytes that it can't decode as lone surrogates, which nothing can be made of later.
    try:
        value.encode()
    except UnicodeEncodeError:
        # Without the cause, whose object is the value.
        raise SpecError(f"{what} is not UTF-8", where=where) from None


def _read(path: Path, where: str) -> str:
    try:
        found = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SpecError(f"{path} can't be read: {error.strerror}", where=where) from error
    except UnicodeDecodeError:
        # Without the cause, whose text shows the bytes.
        raise SpecError(f"{path} is not UTF-8", where=where) from None
    if not found:
        raise SpecError(f"{path} is empty", where=where)
    return found
