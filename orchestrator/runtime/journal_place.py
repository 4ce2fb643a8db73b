"""Where the journal is kept unless somebody says otherwise."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def default_journal_dir() -> Path:
    """The user's state folder."""
    return Path(platformdirs.user_state_dir("orchestrator"))
