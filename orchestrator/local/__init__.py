"""A local Azure Batch to develop against: it speaks the service's wire and runs tasks as real processes.

`LocalService` is the way in for programs and tests; `LocalSettings` is what a client needs to reach one.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.local.batch.delays import Profile
    from orchestrator.local.batch.versions import Casing
    from orchestrator.local.service import LocalService
    from orchestrator.local.settings import LocalSettings

__all__ = ["Casing", "LocalService", "LocalSettings", "Profile"]

# Resolved when asked for: who only reads an env file needs no HTTP server.
_PLACES = {
    "Casing": "orchestrator.local.batch.versions",
    "LocalService": "orchestrator.local.service",
    "LocalSettings": "orchestrator.local.settings",
    "Profile": "orchestrator.local.batch.delays",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    """Give the public names."""
    return __all__
