from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.faults.decision import UNTOUCHED, Occasion, Progress, chance, choose, decide
from orchestrator.local.faults.kinds import DropAnswer, LoseNode, PreemptNode, Refuse
from orchestrator.local.faults.rule import Match, Rule

CALL = Occasion(name="create_task", job="Nightly-7", tasks=("t1",))
OTHER = Occasion(name="get_pool", pool="p")


def rule(**members: Any) -> Rule:
    return Rule(**{"fault": Refuse(), "name": "r", "on": ("create_task",), "seed": 1, **members})


def run(one: Rule, occasions: int, occasion: Occasion = CALL) -> list[bool]:
    progress, hits = UNTOUCHED, []
    for _ in range(occasions):
        progress, fault = decide(one, progress, occasion)
        hits.append(fault is not None)
    assert progress.fired == sum(hits)
    return hits


counts = st.integers(0, 20)
chances = st.floats(0, 1)


@given(after=counts, count=st.none() | counts, probability=chances, seed=st.integers(), occasions=counts)
def test_the_same_seed_hits_the_same_occasions_within_the_rules_limits(
    after: int, count: int | None, probability: float, seed: int, occasions: int
) -> None:
    one = rule(after=after, count=count, probability=probability, seed=seed)
    hits = run(one, occasions)
    assert hits == run(one, occasions)
    assert not any(hits[:after])
    assert count is None or sum(hits) <= count
    if probability == 1 and count is None:
        assert all(hits[after:])
    if probability == 0:
        assert not any(hits)


@given(seed=st.integers(), probability=chances, noise=st.lists(st.booleans(), max_size=50))
def test_occasions_of_other_kinds_change_nothing_for_a_rule(
    seed: int, probability: float, noise: list[bool]
) -> None:
    one = rule(probability=probability, seed=seed)
    progress, hits = UNTOUCHED, []
    for other in noise:
        progress, fault = decide(one, progress, OTHER if other else CALL)
        if not other:
            hits.append(fault is not None)
    assert hits == run(one, len(hits))


def test_a_probability_is_kept_over_many_occasions() -> None:
    assert 900 < sum(run(rule(probability=0.1), 10_000)) < 1100


def test_another_seed_or_name_hits_other_occasions() -> None:
    first = run(rule(probability=0.5), 100)
    assert first != run(rule(probability=0.5, seed=2), 100)
    assert first != run(rule(probability=0.5, name="s"), 100)


@given(st.integers(), st.text(), st.integers(0))
def test_a_chance_is_from_0_to_below_1(seed: int, name: str, number: int) -> None:
    assert 0 <= chance(seed, name, number) < 1


def test_the_first_rule_that_wants_to_has_its_way_and_the_others_only_saw_it() -> None:
    first, second = rule(name="first", after=1), rule(name="second", fault=DropAnswer())
    changed, chosen = choose([first, second], {}, CALL)
    assert chosen is second
    assert changed == {"first": Progress(1, 0), "second": Progress(1, 1)}
    changed, chosen = choose([first, second], changed, CALL)
    assert chosen is first
    assert changed == {"first": Progress(2, 1), "second": Progress(2, 1)}


def test_ids_match_as_patterns_without_regard_to_case() -> None:
    assert run(rule(match=Match(job="nightly-*")), 1) == [True]
    assert run(rule(match=Match(job="weekly-*")), 1) == [False]
    assert run(rule(match=Match(task="T?")), 1) == [True]
    assert run(rule(match=Match(pool="p")), 1) == [False]


def test_a_collection_matches_by_any_of_its_tasks() -> None:
    collection = Occasion(name="create_task_collection", tasks=("a", "b"))
    assert run(rule(on=("create_task_collection",), match=Match(task="b")), 1, collection) == [True]
    assert run(rule(on=("create_task_collection",), match=Match(task="c")), 1, collection) == [False]


def test_a_star_is_every_operation_and_no_happening() -> None:
    every = rule(on=("*",))
    assert run(every, 1, OTHER) == [True]
    assert run(every, 1, Occasion(name="run_task")) == [False]


def test_a_fault_without_places_of_its_own_choice_looks_at_all_it_knows() -> None:
    for on in ((), ("*",)):
        assert rule(fault=LoseNode(), on=on).looks_at("run_task")
        assert not rule(fault=LoseNode(), on=on).looks_at("list_jobs")
        assert rule(on=on).looks_at("list_jobs")
        assert not rule(on=on).looks_at("run_task")


def test_only_low_priority_nodes_are_preempted() -> None:
    one = rule(fault=PreemptNode(), on=("run_task",))
    dedicated = Occasion(name="run_task", node="n", node_number=0)
    spot = Occasion(name="run_task", node="n", node_number=0, low_priority=True)
    assert run(one, 1, dedicated) == [False]
    assert run(one, 1, spot) == [True]
    assert run(msgspec.structs.replace(one, match=Match(node_number=1)), 1, spot) == [False]
