"""Starts the node agent: `main(root)`, with the service's first line on standard input.

The protocol, one JSON object a line. The service sends `begin` (environment, attempts, timeout), then
`execute`, `kill` and `remove`; the agent tells `ready` or `refused`, then `started`, `spawned`, `ended`
and `removed`. The end of the input means that the service is gone, by whatever way: the agent ends
everything below it, then itself.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path
from typing import Any

from . import folders, processes
from .agent import Agent, ignore_signals
from .link import Link, ServiceGoneError
from .patience import Patience
from .users import Users

_LOCK_LIMIT = 10.0
_LOCK_PAUSE = 0.05


def main(root_name: str) -> None:
    """Run the agent of one node until its service goes away.

    Args:
        root_name: the node's root folder, absolute.
    """
    root = Path(root_name)
    incoming, outgoing = os.dup(0), os.dup(1)
    # Nothing in the agent may print into the protocol, nor read from it.
    os.dup2(2, 1)
    link = Link(incoming, outgoing)
    ignore_signals()
    os.umask(0o022)  # a service may run with a stricter one; tasks get the usual one
    try:
        begin = _first_order(link)
        # First of all: every thread and every process is to be born without what is given up here.
        users = Users(*begin["users"]) if begin["users"] else None
        if users is not None:
            users.prepare(root)
        used_before = (root / "volatile" / "agent.lock").exists()
        folders.make_node(root, shared_by_users=users is not None)
        if not _lock(root / "volatile" / "agent.lock"):
            link.tell("refused", reason=f"another node agent uses {root}")
            link.flush()
            return
        if not processes.become_subreaper():
            sys.stderr.write(
                "no child subreaper here: a process that leaves its task's session outlives it\n"
            )
        if used_before:
            # Agent and service may both have been killed: what ran then must not meet what runs next.
            processes.kill_everywhere(processes.marker("AZ_BATCH_NODE_ROOT_DIR", str(root)), ())
        link.tell("ready", pid=os.getpid())
        link.flush()
    except (ServiceGoneError, KeyboardInterrupt):
        return
    except OSError as error:
        link.tell("refused", reason=str(error))
        link.flush()
        return
    patience = Patience(attempts=begin["attempts"], timeout=begin["timeout"])
    Agent(root=root, link=link, environment=begin["environment"], patience=patience, users=users).serve()


def _first_order(link: Link) -> dict[str, Any]:
    while True:
        orders, _ = link.wait(_LOCK_LIMIT)
        if orders:
            return orders[0]


def _lock(path: Path) -> bool:
    """Take the root for this process's life; an agent whose service was just killed may still clear up."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _LOCK_LIMIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOCK_PAUSE)
        else:
            return True
