"""A real node and a way to run commands on it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.local.batch.execution import Execution, Outcome
from orchestrator.local.batch.node import NodeProcess


class Bench:
    """A node with tasks `t` on it, each attempt under an id of its own."""

    def __init__(self, node: NodeProcess) -> None:
        self.node = node
        self.started: list[datetime] = []
        self._numbers = itertools.count(1)

    def folder(self, task: str = "t") -> Path:
        return self.node.root / "workitems" / "job" / "job-1" / task

    def text(self, name: str, task: str = "t") -> str:
        return (self.folder(task) / name).read_text()

    async def run(
        self,
        command_line: str,
        *,
        task: str = "t",
        execution_id: str | None = None,
        on_started: Callable[[datetime], None] | None = None,
        **more: Any,
    ) -> Outcome:
        execution = Execution(
            execution_id=execution_id or f"{task}-{next(self._numbers)}",
            command_line=command_line,
            directory=f"workitems/job/job-1/{task}",
            **more,
        )
        return await self.node.execute(execution, on_started=on_started or self.started.append)


def code(outcome: Outcome) -> str | None:
    return None if outcome.failure is None else outcome.failure["code"]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A node that has just started."""
    node = await NodeProcess.start(tmp_path / "node", transfer_attempts=3, transfer_timeout=0.5)
    yield Bench(node)
    await node.close()
