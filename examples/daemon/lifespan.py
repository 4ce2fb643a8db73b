"""An orchestrator in the lifespan of an ASGI application, for Starlette and FastAPI alike.

`Starlette(lifespan=lifespan)` or `FastAPI(lifespan=lifespan)`; a request finds it as
`request.state.orchestrator`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, TypedDict

from orchestrator import Orchestrator


class State(TypedDict):
    """What requests find."""

    orchestrator: Orchestrator


@asynccontextmanager
async def lifespan(_app: Any) -> AsyncGenerator[State]:
    """Open the orchestrator with the application, and close it with it: runs under way end first."""
    # An orchestrator may be entered and left from different tasks, which is what servers do here.
    async with Orchestrator.local() as orchestrator:
        yield {"orchestrator": orchestrator}
