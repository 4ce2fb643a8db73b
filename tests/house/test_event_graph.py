"""What the built-in handlers consume and produce has no cycle: with one, a backlog could wait for itself."""

from __future__ import annotations

import graphlib
import importlib
import pkgutil
import tomllib
from typing import Any

import orchestrator.handlers
from orchestrator.events import Event
from tests.house.places import ROOT


def built_in_handlers() -> list[Any]:
    modules = [
        importlib.import_module(f"orchestrator.handlers.{module.name}")
        for module in pkgutil.iter_modules(orchestrator.handlers.__path__)
    ]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__ and "consumes" in vars(value)
    ]


def feeds(producer: Any, consumer: Any) -> bool:
    return any(issubclass(event, tuple(consumer.consumes)) for event in producer.produces)


def test_no_handler_can_wait_for_itself_through_others() -> None:
    handlers = built_in_handlers()
    graph = {
        consumer.name: {producer.name for producer in handlers if feeds(producer, consumer)}
        for consumer in handlers
    }
    assert any(graph.values()), "handlers feed each other; a graph without an edge was not looked at"
    tuple(graphlib.TopologicalSorter(graph).static_order())


def test_every_handler_declares_events_and_a_name_of_its_own() -> None:
    handlers = built_in_handlers()
    declared = [event for handler in handlers for event in (*handler.consumes, *handler.produces)]
    assert [event for event in declared if not issubclass(event, Event)] == []
    names = [handler.name for handler in handlers]
    assert len(names) == len(set(names))


def test_every_handler_stands_in_the_contract_that_keeps_them_apart() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    kept_apart = next(contract["modules"] for contract in contracts if contract["id"] == "handlers")
    assert {handler.__module__ for handler in built_in_handlers()} == set(kept_apart)
