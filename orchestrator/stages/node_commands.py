"""The command lines that put the application on a node: pure text, run by the start or preparation task."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

INCOMING = "orchestrator-application"
"""Folder, in the task's working directory, that the application's resource files arrive in."""


def install_script(commands: Iterable[str], folder: str | None) -> str:
    """The shell script of a start or preparation task.

    The user's commands run first, each of which must succeed. Then the application is copied below the
    node's shared directory, under the name that its content gives it, and appears there whole or not at all:
    two jobs' preparation tasks may do this at once on one node, and a node that reboots finds it done.

    Args:
        commands: the user's shell command lines.
        folder: the application's folder name, None where there is nothing to copy.
    """
    lines = ["set -e", *commands]
    if folder is not None:
        lines += [
            f'target="$AZ_BATCH_NODE_SHARED_DIR"/{shlex.quote(folder)}',
            'if [ ! -d "$target" ]; then',
            'staged="$target.$$"',
            'rm -rf -- "$staged"',
            'mkdir -p -- "$staged"',
            f'cp -R -- ./{INCOMING}/. "$staged"/',
            'chmod -R a+rX -- "$staged"',
            'mv -T -- "$staged" "$target" || { rm -rf -- "$staged"; [ -d "$target" ]; }',
            "fi",
        ]
    return "\n".join(lines)
