"""`python -m tests.page.install`: see to it that there is a Chromium, from Debian's package if need be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_LIMIT: Final = 600.0


def find_chromium() -> str | None:
    """The program's path; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def main() -> int:
    """Install it if it is missing.

    Returns:
        The exit code: 0 if it is there.
    """
    if find_chromium() is not None:
        return 0
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.stderr.write("test-page: there is no Chromium on the PATH; install your system's `chromium`\n")
        return 1
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (("update",), ("install", "--yes", "--no-install-recommends", "chromium")):
        done = subprocess.run(
            ["apt-get", "-qq", *arguments], env=environment, timeout=_LIMIT, check=False, stdout=sys.stderr
        )
        if done.returncode != 0:
            sys.stderr.write(f"test-page: apt-get {' '.join(arguments)} failed ({done.returncode})\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
