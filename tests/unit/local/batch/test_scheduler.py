from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.local.batch.scheduler import Fill, JobQueue, PoolSlots, ReadyQueue, assign


def _queue(key: str, slots: list[int], *, priority: int = 0, sequence: int = 1, most: int = -1) -> JobQueue:
    queue = JobQueue(key, sequence, priority, most)
    for number, needed in enumerate(slots):
        queue.ready.push(f"{key}{number}", sequence=number, slots=needed)
    return queue


def _pool(nodes: dict[str, int], fill: Fill = Fill.SPREAD) -> PoolSlots:
    pool = PoolSlots(fill)
    for node, slots in nodes.items():
        pool.add(node, slots)
        pool.open(node)
    return pool


def test_tasks_of_a_job_go_first_in_first_out() -> None:
    placed = assign([_queue("a", [1, 1, 1])], _pool({"n": 2}))
    assert [one.task for one in placed] == ["a0", "a1"]


def test_a_job_of_higher_priority_goes_first_and_then_the_older_one() -> None:
    queues = [
        _queue("young", [1], sequence=3),
        _queue("old", [1], sequence=1),
        _queue("urgent", [1], priority=5, sequence=9),
    ]
    placed = assign(queues, _pool({"n": 8}))
    assert [one.job for one in placed] == ["urgent", "old", "young"]


def test_spread_goes_to_the_emptiest_node_and_pack_to_the_fullest() -> None:
    spread = assign([_queue("a", [1, 1, 1, 1])], _pool({"n": 2, "m": 2}))
    assert Counter(one.node for one in spread) == {"n": 2, "m": 2}
    assert {one.node for one in spread[:2]} == {"n", "m"}
    packed = assign([_queue("a", [1, 1, 1])], _pool({"n": 2, "m": 2}, Fill.PACK))
    assert packed[0].node == packed[1].node != packed[2].node


def test_a_wide_task_lets_narrower_ones_pass_and_is_not_lost() -> None:
    queue = _queue("a", [4, 1])
    pool = _pool({"n": 2})
    assert [one.task for one in assign([queue], pool)] == ["a1"]
    pool.add("wide", 4)
    pool.open("wide")
    assert [one.task for one in assign([queue], pool)] == ["a0"]


def test_a_job_stays_below_its_parallel_limit() -> None:
    queue = _queue("a", [1, 1, 1], most=2)
    pool = _pool({"n": 8})
    assert len(assign([queue], pool)) == 2
    queue.running -= 1
    pool.release("n", 1)
    assert len(assign([queue], pool)) == 1


def test_a_closed_node_and_a_barred_node_get_nothing() -> None:
    queue = _queue("a", [1, 1])
    pool = _pool({"n": 1, "m": 1})
    pool.close("n")
    queue.barred.add("m")
    assert assign([queue], pool) == []
    pool.open("n")
    assert [one.node for one in assign([queue], pool)] == ["n"]


def test_a_disabled_job_gets_nothing() -> None:
    queue = _queue("a", [1])
    queue.open = False
    assert assign([queue], _pool({"n": 1})) == []


def test_a_task_goes_to_the_node_it_wishes_for_while_that_has_room() -> None:
    queue = JobQueue("a", 1)
    for number in range(3):
        queue.ready.push(f"a{number}", sequence=number, slots=1, node="m")
    placed = assign([queue], _pool({"n": 4, "m": 2}))
    assert [one.node for one in placed] == ["m", "m", "n"]


def test_a_task_that_comes_back_keeps_its_place() -> None:
    queue = _queue("a", [1, 1, 1])
    queue.ready.discard("a0")
    queue.ready.push("a0", sequence=0, slots=1)
    assert assign([queue], _pool({"n": 1}))[0].task == "a0"


def test_slots_of_a_node_that_went_away_are_not_given_back() -> None:
    pool = _pool({"n": 1})
    pool.take("n", 1)
    pool.remove("n")
    pool.release("n", 1)
    assert pool.most_free(set()) == 0


@given(
    st.lists(st.tuples(st.integers(-2, 2), st.lists(st.integers(1, 4), max_size=8)), max_size=4),
    st.dictionaries(st.sampled_from("nmop"), st.integers(1, 4), max_size=4),
    st.sampled_from(Fill),
)
def test_no_node_is_overfull_and_no_fitting_task_is_left(
    jobs: list[tuple[int, list[int]]], nodes: dict[str, int], fill: Fill
) -> None:
    queues = [
        _queue(f"j{number}-", slots, priority=priority, sequence=number)
        for number, (priority, slots) in enumerate(jobs)
    ]
    placed = assign(queues, _pool(nodes, fill))
    used: Counter[str] = Counter()
    for one in placed:
        used[one.node] += one.slots
    assert all(used[node] <= nodes[node] for node in used)
    free = max((slots - used[node] for node, slots in nodes.items()), default=0)
    assert all(queue.ready.first_fitting(free) is None for queue in queues)
    assert len({one.task for one in placed}) == len(placed)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 3), st.booleans()), max_size=30))
def test_a_ready_queue_agrees_with_a_plain_one(steps: list[tuple[str, int, bool]]) -> None:
    queue = ReadyQueue()
    plain: dict[str, tuple[int, int]] = {}
    for sequence, (task, slots, push) in enumerate(steps):
        if push:
            queue.push(task, sequence=sequence, slots=slots)
            plain.setdefault(task, (sequence, slots))
        else:
            queue.discard(task)
            plain.pop(task, None)
        for free in range(4):
            fitting = sorted((number, name) for name, (number, need) in plain.items() if need <= free)
            found = queue.first_fitting(free)
            assert (found[0] if found else None) == (fitting[0][1] if fitting else None)
