"""Where other people's clients are, and what each is made from.

They live in a folder of their own beside `.venv`, never in it: the command line alone brings an
azure-batch of another version than the project's. Only the standard library is needed here, since this is
read before anything of theirs is installed.
"""

from __future__ import annotations

import hashlib
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent
_STAMP: Final = "complete"

ROOT: Final = _HERE.parents[1]
PLACE: Final = ROOT / ".compat"
PROGRAMS: Final = _HERE / "programs"


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """One folder of clients, made from files that name every package's version and checksum.

    Args:
        name: of the folder.
        sources: the files that decide what is in it.
    """

    name: str
    sources: tuple[Path, ...]

    @property
    def folder(self) -> Path:
        """Where it is or will be."""
        return PLACE / self.name

    @property
    def stamp(self) -> Path:
        """Written last, so that a broken off installation is never taken for a whole one."""
        return self.folder / _STAMP

    def wanted(self, tool: str) -> str:
        """What the stamp says when the folder is what the sources ask for.

        Args:
            tool: what the packages are installed for, with its version; another one needs them anew.
        """
        digest = hashlib.sha256(tool.encode())
        for path in self.sources:
            digest.update(b"\0" + path.read_bytes())
        return digest.hexdigest()

    def stands(self, tool: str) -> bool:
        """Whether it is there, whole and up to date.

        Args:
            tool: as for `wanted`.
        """
        return self.stamp.is_file() and self.stamp.read_text() == self.wanted(tool)


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonClients(Installation):
    """A virtual environment."""

    @property
    def requirements(self) -> Path:
        """What pip installs, with checksums."""
        return self.sources[0]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin/python"

    @staticmethod
    def tool() -> str:
        """The Python that the environment is made from."""
        return f"{platform.python_implementation()} {platform.python_version()} at {sys.base_prefix}"


CLI: Final = PythonClients(name="cli", sources=(_HERE / "requirements-cli.txt",))
SDK_14: Final = PythonClients(name="sdk14", sources=(_HERE / "requirements-sdk14.txt",))
JAVASCRIPT: Final = Installation(
    name="javascript",
    sources=(_HERE / "javascript/package.json", _HERE / "javascript/package-lock.json"),
)
