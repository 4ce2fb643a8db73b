from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.batch.store.dependencies import DependencyGraph


def test_a_task_waits_for_every_task_it_names_even_one_that_comes_later() -> None:
    graph = DependencyGraph()
    assert graph.add("t", {"taskIds": ["A", "b"]})
    assert graph.satisfy("a") == []
    assert graph.waits("T")
    assert graph.satisfy("B") == ["t"]
    assert not graph.waits("t")


def test_a_range_means_the_ids_that_read_as_its_numbers() -> None:
    graph = DependencyGraph()
    graph.add("t", {"taskIdRanges": [{"start": 9, "end": 11}]})
    assert graph.satisfy("009") == []
    assert graph.satisfy("9") == []
    assert graph.satisfy("11") == []
    assert graph.satisfy("10") == ["t"]


def test_what_is_satisfied_already_is_not_waited_for() -> None:
    graph = DependencyGraph()
    graph.satisfy("5")
    assert not graph.add("t", {"taskIds": ["5"], "taskIdRanges": [{"start": 5, "end": 5}]})


def test_a_deleted_task_is_not_freed() -> None:
    graph = DependencyGraph()
    graph.add("t", {"taskIds": ["a"]})
    graph.discard("T")
    assert graph.satisfy("a") == []


@given(
    st.lists(st.tuples(st.sets(st.integers(0, 6), max_size=4), st.none() | st.integers(0, 6)), max_size=6),
    st.permutations(range(7)),
)
def test_a_task_is_freed_exactly_when_its_last_dependency_is_satisfied(
    tasks: list[tuple[set[int], int | None]], order: list[int]
) -> None:
    graph = DependencyGraph()
    needs: dict[str, set[int]] = {}
    for number, (ids, start) in enumerate(tasks):
        ranges = [] if start is None else [{"start": start, "end": min(6, start + 2)}]
        wanted = set(ids) | {n for one in ranges for n in range(one["start"], one["end"] + 1)}
        needs[f"t{number}"] = wanted
        waits = graph.add(f"t{number}", {"taskIds": [str(i) for i in ids], "taskIdRanges": ranges})
        assert waits == bool(wanted)
    done: set[int] = set()
    for number in order:
        freed = set(graph.satisfy(str(number)))
        expected = {name for name, wanted in needs.items() if wanted - done and not wanted - done - {number}}
        assert freed == expected
        done.add(number)
