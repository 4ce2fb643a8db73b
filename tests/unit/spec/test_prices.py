"""Node-hours cost what the user says; without a price there is no sum."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.spec.prices import Prices, load_prices

TABLE = 'currency = "EUR"\n[dedicated]\nStandard_D2s_v3 = 0.5\n[low_priority]\nstandard_d2s_v3 = 0.25\n'


@pytest.fixture
def prices(tmp_path: Path) -> Prices:
    (tmp_path / "prices.toml").write_text(TABLE)
    return load_prices(tmp_path / "prices.toml")


def test_node_hours_are_multiplied_by_the_price_of_their_kind(prices: Prices) -> None:
    assert prices.cost("STANDARD_D2S_V3", dedicated_hours=3, low_priority_hours=2) == 2.0
    assert prices.currency == "EUR"


def test_without_a_price_for_all_of_it_there_is_no_sum(prices: Prices) -> None:
    assert prices.cost("standard_d4s_v3", dedicated_hours=1, low_priority_hours=0) is None
    assert Prices(dedicated={"a": 1.0}).cost("a", dedicated_hours=1, low_priority_hours=1) is None
    assert Prices().cost("a", dedicated_hours=0, low_priority_hours=0) == 0.0


@pytest.mark.parametrize("text", ["dedicated = 3", "nodes = 1", "[dedicated", '[dedicated]\na = "dear"'])
def test_what_is_no_table_of_prices_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"prices\.toml"):
        load_prices(tmp_path / "prices.toml")
