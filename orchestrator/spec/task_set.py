"""Sets of a run's tasks, a byte a task: a set of a million names would take 130 MB."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from orchestrator.spec.planned import PlannedTask
from orchestrator.spec.task_list import TaskList


class TaskNumbers:
    """Gives each task of a run a number, from its place in the plan; ids of a factory are not kept for it.

    A task that the plan does not have gets the next number when it is met.

    Args:
        tasks: of the plan; by default none is known before it is met.
    """

    def __init__(self, tasks: Sequence[PlannedTask] = ()) -> None:
        self._tasks = tasks
        self._list = tasks if isinstance(tasks, TaskList) else TaskList(tasks)
        self._met: dict[str, int] = {}
        # Who asks for a task mostly asks for it several times in a row.
        self._last: tuple[str, int] = ("", 0)
        self._met_ids: list[str] = []

    def __contains__(self, task_id: object) -> bool:
        """Whether the plan has a task of that id."""
        number = self.find(task_id) if isinstance(task_id, str) else None
        return number is not None and number < len(self._tasks)

    def task(self, task_id: str) -> PlannedTask | None:
        """The planned task of that id; None if the plan has none."""
        number = self.find(task_id)
        return None if number is None or number >= len(self._tasks) else self._list[number]

    def find(self, task_id: str) -> int | None:
        """The number of a task; None if it has none yet."""
        last, number = self._last
        if task_id == last and last:
            return number
        place = self._list.place(task_id)
        found = self._met.get(task_id) if place is None else place
        if found is not None:
            self._last = (task_id, found)
        return found

    def number(self, task_id: str) -> int:
        """The number of a task, which gets one if it has none yet."""
        found = self.find(task_id)
        if found is None:
            found = self._met[task_id] = len(self._tasks) + len(self._met_ids)
            self._met_ids.append(task_id)
        return found

    def id(self, number: int) -> str:
        """The id of the task of that number."""
        planned = len(self._tasks)
        return self._list[number].id if number < planned else self._met_ids[number - planned]


class TaskSet(Collection[str]):
    """A set of task ids. It gives them in the order of their numbers, and grows as far as its highest one.

    Args:
        numbers: of the run's tasks.
        ids: what is in it from the start.
    """

    def __init__(self, numbers: TaskNumbers, ids: Iterable[str] = ()) -> None:
        self._numbers = numbers
        self._there = bytearray()
        self._count = 0
        self.update(ids)

    def __contains__(self, task_id: object) -> bool:
        number = self._numbers.find(task_id) if isinstance(task_id, str) else None
        return number is not None and number < len(self._there) and bool(self._there[number])

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        number = self._there.find(1)
        while number >= 0:
            yield self._numbers.id(number)
            number = self._there.find(1, number + 1)

    def add(self, task_id: str) -> None:
        """Put an id in."""
        number = self._numbers.number(task_id)
        if number >= len(self._there):
            self._there.extend(bytes(number + 1 - len(self._there)))
        self._count += 1 - self._there[number]
        self._there[number] = 1

    def discard(self, task_id: str) -> None:
        """Take an id out, if it is there."""
        if task_id in self:
            self._there[self._numbers.number(task_id)] = 0
            self._count -= 1

    def update(self, ids: Iterable[str]) -> None:
        """Put ids in."""
        for task_id in ids:
            self.add(task_id)
