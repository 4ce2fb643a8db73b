from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.local.faults import FaultScriptError, parse_script, read_script
from orchestrator.local.faults.check import make_rule
from orchestrator.local.faults.kinds import Fault, PartialCollection, Refuse

SCRIPT = """
seed = 7

[[rules]]
name = "busy"
on = ["create_task_collection", "list_tasks"]
match = { job = "nightly-*" }
after = 2
count = 3
probability = 0.25
fault = { kind = "refuse", status = 503, retry_after = 1 }

[[rules]]
seed = 9
fault = { kind = "partial_collection", share = 0.1, outcome = "clienterror" }
"""


def test_a_file_is_read_and_every_rule_has_a_name_and_a_seed(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(SCRIPT)
    first, second = read_script(path).rules
    assert first.fault == Refuse(status=503, retry_after=1)
    assert (first.name, first.seed, first.after, first.count) == ("busy", 7, 2, 3)
    assert isinstance(second.fault, PartialCollection)
    assert (second.name, second.seed, second.on) == ("rule-1", 9, ())


def test_json_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    rule = {"fault": {"kind": "refuse", "status": 503, "retry_after": 1}, "on": ["list_tasks"]}
    path.write_text(json.dumps({"seed": 7, "rules": [rule]}))
    assert read_script(path).rules[0].fault == Refuse(status=503, retry_after=1)


REFUSE = {"kind": "refuse"}


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ({"fault": {"kind": "no_such"}}, "rules[0].fault.kind"),
        ({}, "rules[0]"),
        ({"fault": REFUSE, "chance": 1}, "rules[0]"),
        ({"fault": {**REFUSE, "status": "busy"}}, "rules[0].fault.status"),
        ({"fault": {**REFUSE, "status": 200}}, "rules[0].fault.status"),
        ({"fault": {**REFUSE, "retry_after": -1}}, "rules[0].fault.retry_after"),
        ({"fault": REFUSE, "on": ["list_tasks", "creat_task"]}, "rules[0].on[1]"),
        ({"fault": REFUSE, "on": ["run_task"]}, "rules[0].on[0]"),
        ({"fault": {"kind": "lose_node"}, "on": ["list_tasks"]}, "rules[0].on[0]"),
        ({"fault": {"kind": "stale", "seconds": 1}, "on": ["get_pool"]}, "rules[0].on[0]"),
        ({"fault": {"kind": "slow"}}, "rules[0].fault"),
        ({"fault": {"kind": "slow", "seconds": -1}}, "rules[0].fault.seconds"),
        ({"fault": {"kind": "preempt_node", "away": -1}}, "rules[0].fault.away"),
        ({"fault": {"kind": "partial_collection", "share": 0}}, "rules[0].fault.share"),
        ({"fault": {"kind": "partial_collection", "outcome": "maybe"}}, "rules[0].fault.outcome"),
        ({"fault": {"kind": "fail_start_task", "exit_code": 0}}, "rules[0].fault.exit_code"),
        ({"fault": {"kind": "fail_allocation", "code": ""}}, "rules[0].fault.code"),
        ({"fault": {"kind": "fail_transfer", "trouble": "some"}}, "rules[0].fault.trouble"),
        ({"fault": REFUSE, "probability": 1.1}, "rules[0].probability"),
        ({"fault": REFUSE, "after": -1}, "rules[0].after"),
        ({"fault": REFUSE, "count": -1}, "rules[0].count"),
        ({"fault": REFUSE, "match": {"pools": "x"}}, "rules[0].match"),
    ],
)
def test_a_mistake_is_named_with_its_place(rule: dict[str, Any], place: str) -> None:
    with pytest.raises(FaultScriptError) as caught:
        parse_script(json.dumps({"rules": [rule]}).encode())
    assert caught.value.where == place
    assert str(caught.value).startswith(f"{place}: ")


def test_two_rules_of_one_name_are_refused() -> None:
    rules = [{"name": "a", "fault": REFUSE}, {"name": "a", "fault": REFUSE}]
    with pytest.raises(FaultScriptError, match=r"rules\[1\].name"):
        parse_script(json.dumps({"rules": rules}).encode())


def test_what_is_neither_toml_nor_json_is_named_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text("rules = [")
    with pytest.raises(FaultScriptError, match=r"faults\.toml: "):
        read_script(path)
    path.write_bytes(b"\xff")
    with pytest.raises(FaultScriptError, match=r"faults\.toml: "):
        read_script(path)


def test_a_single_rule_names_its_place_too() -> None:
    with pytest.raises(FaultScriptError) as caught:
        make_rule({"fault": REFUSE, "probability": 2})
    assert caught.value.where == "probability"


@pytest.mark.parametrize("kind", Fault.__args__, ids=lambda kind: str(kind.__struct_config__.tag))
def test_every_kind_says_what_it_does(kind: type[Any]) -> None:
    assert kind.__doc__
