"""Reads scripts of faults, TOML or JSON."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from orchestrator.local.faults.check import convert, mistake, settle
from orchestrator.local.faults.rule import FaultScriptError, Script


def read_script(path: Path) -> Script:
    """Read a file; blocks.

    Args:
        path: ends in `.json`, or is TOML.

    Returns:
        The script, with a name and a seed for every rule.

    Raises:
        FaultScriptError: naming the file and the place.
        OSError: if it can't be read.
    """
    try:
        return parse_script(path.read_bytes(), toml=path.suffix.lower() != ".json")
    except FaultScriptError as error:
        raise FaultScriptError(f"{path}: {error.where}" if error.where else str(path), error.why) from None


def parse_script(text: bytes, *, toml: bool = False) -> Script:
    """Read a script.

    Args:
        text: UTF-8.
        toml: or JSON.

    Returns:
        The script, with a name and a seed for every rule.

    Raises:
        FaultScriptError: naming the place.
    """
    try:
        if toml:
            script: Script = convert(tomllib.loads(text.decode()), Script)
        else:
            script = msgspec.json.decode(text, type=Script)
    except msgspec.ValidationError as error:
        raise mistake(error) from None
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FaultScriptError("", str(error)) from None
    return settle(script)
