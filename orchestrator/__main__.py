"""`python -m orchestrator`, and the program `orchestrator`."""

from __future__ import annotations

from orchestrator.cli.app import main

if __name__ == "__main__":
    main()
