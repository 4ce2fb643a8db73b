"""The fault lab: makes the local service fail in the ways the real one does, on purpose and repeatably.

Imports nothing until it is asked.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.local.faults.lab import FaultLab, Firing
    from orchestrator.local.faults.rule import FaultScriptError, Match, Rule, Script
    from orchestrator.local.faults.script import parse_script, read_script

__all__ = [
    "FaultLab",
    "FaultScriptError",
    "Firing",
    "Match",
    "Rule",
    "Script",
    "parse_script",
    "read_script",
]

_PLACES = {
    "FaultLab": "lab",
    "FaultScriptError": "rule",
    "Firing": "lab",
    "Match": "rule",
    "Rule": "rule",
    "Script": "rule",
    "parse_script": "script",
    "read_script": "script",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    """Give the public names."""
    return __all__
