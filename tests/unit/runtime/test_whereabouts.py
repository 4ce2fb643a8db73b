"""Two addresses of one service are known as such, however they are written."""

from __future__ import annotations

import pytest

from orchestrator.runtime.whereabouts import same_endpoint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://127.0.0.1:4711", "http://127.0.0.1:4711/"),
        ("http://127.0.0.1:4711", "http://localhost:4711"),
        ("https://[::1]:4711", "http://127.0.0.1:4711"),
        ("https://acc.westeurope.batch.azure.com", "https://Acc.WestEurope.batch.azure.com:443/"),
    ],
)
def test_the_same_service_is_known_by_another_spelling(one: str, other: str) -> None:
    assert same_endpoint(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://127.0.0.1:4711", "http://127.0.0.1:4712"),
        ("https://acc.westeurope.batch.azure.com", "https://acc.eastus.batch.azure.com"),
        ("http://127.0.0.1:443", "https://acc.westeurope.batch.azure.com"),
    ],
)
def test_other_services_are_told_apart(one: str, other: str) -> None:
    assert not same_endpoint(one, other)
