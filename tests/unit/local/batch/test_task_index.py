from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.batch.store import task_index
from orchestrator.local.batch.store.states import TaskState
from orchestrator.local.batch.store.task_index import TaskIndex
from orchestrator.local.wire.times import TICKS_PER_SECOND

keys = st.text("abc", min_size=1, max_size=3)
states = st.sampled_from(TaskState)
instants = st.integers(0, 6).map(lambda halves: halves * TICKS_PER_SECOND // 2)
maybe = st.none() | instants
Tasks = dict[str, tuple[TaskState, int]]


def filled(tasks: Tasks) -> TaskIndex:
    index = TaskIndex()
    for key, (state, since) in tasks.items():
        index.add(key, state, since)
    return index


@given(
    st.lists(st.tuples(keys, st.none() | st.tuples(states, instants)), max_size=40),
    st.none() | keys,
    st.none() | st.frozensets(states.map(lambda state: state.value) | st.just("unheard"), max_size=2),
    maybe,
    maybe,
)
def test_a_walk_meets_every_task_meant_in_order(
    steps: list[tuple[str, tuple[TaskState, int] | None]],
    start: str | None,
    wanted: frozenset[str] | None,
    first: int | None,
    last: int | None,
) -> None:
    tasks: Tasks = {}
    index = TaskIndex()
    for key, place in steps:
        if key in tasks:
            index.remove(key, *tasks.pop(key))
        if place is not None:
            tasks[key] = place
            index.add(key, *place)
    found = list(index.walk(start, states=wanted, first=first, last=last))
    assert found == sorted(set(found))
    assert all(key in tasks and (start is None or key > start) for key in found)
    meant = {
        key
        for key, (state, since) in tasks.items()
        if (start is None or key > start)
        and (wanted is None or state.value in wanted)
        and (first is None or since >= first)
        and (last is None or since <= last)
    }
    assert meant <= set(found)


def test_few_changes_among_many_tasks_are_found_without_the_others() -> None:
    tasks: Tasks = {f"{number:06}": (TaskState.ACTIVE, 0) for number in range(20_000)}
    late = 9 * TICKS_PER_SECOND
    changed = [f"{number:06}" for number in range(0, 20_000, 1000)]
    index = filled(tasks | dict.fromkeys(changed, (TaskState.COMPLETED, late)))
    assert list(index.walk(None, states=None, first=late - 1, last=None)) == changed
    assert list(index.walk(None, states={"completed"}, first=None, last=None)) == changed


def test_more_changes_than_are_gathered_are_met_on_the_way_and_what_is_older_is_passed_over() -> None:
    few = task_index._FEW
    old: Tasks = {f"a{number:06}": (TaskState.ACTIVE, 0) for number in range(few)}
    late = 9 * TICKS_PER_SECOND
    new: Tasks = {f"b{number:06}": (TaskState.ACTIVE, late) for number in range(few + 1)}
    found = list(filled(old | new).walk(None, states=None, first=late, last=None))
    assert found[-len(new) :] == list(new)
    assert len(found) < len(new) + 3000  # a block or so on the border, and not all that is old
