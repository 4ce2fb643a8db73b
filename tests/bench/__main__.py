"""Measures side by side: `python -m tests.bench [--rounds N] [GROUP ...]`."""

from __future__ import annotations

import argparse
import importlib

from orchestrator.cli.logs import configure_logs
from orchestrator.cli.loop import run
from tests.bench.row import show

GROUPS = (
    "imports",
    "submit",
    "listing",
    "watch",
    "files",
    "large",
    "whole_job",
    "end_to_end",
    "detection",
    "starting",
    "million",
    "scale",
    "journal",
)
ROUNDS = 3


def main() -> None:
    """Measure what was asked for, print the tables, and write them as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"some of: {', '.join(GROUPS)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="medians of so many")
    arguments = parser.parse_args()
    for group in arguments.groups or GROUPS:
        if group not in GROUPS:
            parser.error(f"there is no group {group}; there are {', '.join(GROUPS)}")
    configure_logs()
    for group in arguments.groups or GROUPS:
        module = importlib.import_module(f"tests.bench.{group}")
        show(group, run(module.measure(arguments.rounds)))


if __name__ == "__main__":
    main()
