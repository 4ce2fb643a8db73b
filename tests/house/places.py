"""Where things are, and which files are the project's own."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def python_files(*folders: str) -> list[Path]:
    """Every Python file below the project's folders."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def pages() -> list[Path]:
    """README and every page of docs."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
