"""What a simulated pool is told to do: which pools are, and what `simulate` means. Pure.

A pool is simulated if its metadata says so, and never otherwise. Its tasks are no processes: a task "runs"
for the time and with the exit code that an environment setting, or else its command line, names.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

METADATA_NAME: Final = "orchestrator:simulated"
METADATA_VALUE: Final = "true"
VARIABLE: Final = "ORCHESTRATOR_SIMULATE"
"""Environment setting that goes before the command line: the options of `simulate`."""

PROGRAM: Final = "simulate"
_MOST_KNOWN: Final = 4096
_BYTE: Final = 256


@dataclass(frozen=True, slots=True)
class Pretence:
    """How a command ends.

    Args:
        seconds: after its start.
        exit_code: minus a signal's number for death by it.
    """

    seconds: float = 0.0
    exit_code: int = 0


def is_simulated(pool_spec: Mapping[str, Any]) -> bool:
    """Tell whether a pool's nodes are simulated.

    Args:
        pool_spec: wire form.
    """
    return any(
        item["name"] == METADATA_NAME and item["value"] == METADATA_VALUE
        for item in pool_spec.get("metadata", ())
    )


@lru_cache(_MOST_KNOWN)
def read_command(command_line: str) -> Pretence | str:
    """Read what a simulated command is to do.

    Args:
        command_line: `simulate [--seconds S] [--exit-code N]`.

    Returns:
        What it does, or the reason why it can't be read.
    """
    try:
        words = shlex.split(command_line)
    except ValueError as error:
        return str(error)
    if not words or words[0] != PROGRAM:
        return f"a simulated node runs `{PROGRAM}` only"
    return _read_options(words[1:])


def _read_options(words: list[str]) -> Pretence | str:
    seconds, exit_code = 0.0, 0
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    if len(words) % 2 or not pairs.keys() <= {"--seconds", "--exit-code"}:
        return f"{PROGRAM} takes --seconds S and --exit-code N"
    try:
        seconds = float(pairs.get("--seconds", "0"))
        exit_code = int(pairs.get("--exit-code", "0"))
    except ValueError as error:
        return str(error)
    if not 0 <= seconds < math.inf or not -_BYTE < exit_code < _BYTE:
        return f"{PROGRAM} runs 0 seconds or more, and ends with -255 to 255"
    return Pretence(seconds, exit_code)
