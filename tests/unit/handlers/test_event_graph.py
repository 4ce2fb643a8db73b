"""Built-in handlers can't wait for each other: what they consume and produce has no cycle."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import ClassVar

import pytest

from orchestrator.events import Event, TaskCompleted, TaskEvent, all_event_types
from orchestrator.handlers import (
    CleanupHandler,
    CollectHandler,
    DownloadHandler,
    Handler,
    LogHandler,
    ProgressHandler,
)

HANDLERS: tuple[type[Handler], ...] = (
    CleanupHandler,
    CollectHandler,
    DownloadHandler,
    LogHandler,
    ProgressHandler,
)


def order(handlers: tuple[type[Handler], ...]) -> list[str]:
    """The handlers' names, each after those whose events it consumes."""
    graph = {
        consumer.name: {
            producer.name
            for producer in handlers
            if any(issubclass(produced, consumer.consumes) for produced in producer.produces)
        }
        for consumer in handlers
    }
    return list(TopologicalSorter(graph).static_order())


def test_the_graph_of_built_in_handlers_has_no_cycle() -> None:
    ordered = order(HANDLERS)
    assert ordered.index("download") < ordered.index("collect") < ordered.index("cleanup")


def test_a_cycle_would_be_noticed() -> None:
    class Answering:
        name: ClassVar[str] = "answering"
        consumes: ClassVar[tuple[type[Event], ...]] = (TaskEvent,)
        produces: ClassVar[tuple[type[Event], ...]] = (TaskCompleted,)

        async def handle(self, event: Event, /) -> None:
            raise NotImplementedError

    with pytest.raises(CycleError):
        order((*HANDLERS, Answering))


def test_every_handler_has_a_name_of_its_own_and_speaks_of_known_events() -> None:
    assert len({handler.name for handler in HANDLERS}) == len(HANDLERS)
    known = set(all_event_types())
    for handler in HANDLERS:
        assert set(handler.consumes) | set(handler.produces) <= known


def test_no_handler_imports_another() -> None:
    names = {handler.__module__ for handler in HANDLERS}
    for handler in HANDLERS:
        module = __import__(handler.__module__, fromlist=["_"])
        imported = {getattr(value, "__module__", None) for value in vars(module).values()}
        assert imported & names <= {handler.__module__}
