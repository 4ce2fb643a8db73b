"""The tasks of a plan: those in full, and those of a factory, which are made when somebody looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from orchestrator.spec.input_files import InputFiles
from orchestrator.spec.planned import PlannedTask, TaskInput
from orchestrator.spec.task import TaskFactory
from orchestrator.spec.task_ids import TaskIds


class MadeTasks:
    """The tasks of a factory: a million of them take no more memory than the list of their files.

    Args:
        factory: of the job.
        run_id: for `{run}`.
        count: how many there are.
        shared: the staged files that each of them gets, after its own.
        files: by task, the place of its own file in `inputs`; None for tasks without files of their own.
        inputs: of the plan.
    """

    def __init__(
        self,
        factory: TaskFactory,
        *,
        run_id: str,
        count: int,
        shared: tuple[TaskInput, ...] = (),
        files: Sequence[int] | None = None,
        inputs: InputFiles | None = None,
    ) -> None:
        self.factory = factory
        self.count = count
        self.shared = shared
        self.files = files
        self.ids = TaskIds(factory.id, run_id)
        self._inputs = inputs or InputFiles()

    def task(self, index: int) -> PlannedTask:
        """The task of that index."""
        name, inputs = None, self.shared
        if self.files is not None:
            file = self.files[index]
            name = self._inputs.name(file)
            inputs = ((file, name, None), *inputs)
        return PlannedTask(
            id=self.ids.id(index), index=index, spec=self.factory, input_name=name, inputs=inputs
        )

    def index(self, task_id: str) -> int | None:
        """The index of the task of that id; None if none of them has it."""
        if self.count == 1:
            return 0 if task_id == self.ids.id(0) else None
        index = self.ids.index(task_id)
        return index if index is not None and index < self.count else None


class TaskList(Sequence[PlannedTask]):
    """The tasks of a plan, in order: those in full, then those of the factory.

    Args:
        full: the former.
        made: the latter; None where there is no factory.
    """

    def __init__(self, full: Sequence[PlannedTask], made: MadeTasks | None = None) -> None:
        self.full = tuple(full)
        self.made = made
        self._places = {task.id: place for place, task in enumerate(self.full)}

    def __len__(self) -> int:
        return len(self.full) + (self.made.count if self.made is not None else 0)

    @overload
    def __getitem__(self, place: int) -> PlannedTask: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[PlannedTask]: ...

    def __getitem__(self, place: int | slice) -> PlannedTask | Sequence[PlannedTask]:
        if isinstance(place, slice):
            return tuple(self[each] for each in range(*place.indices(len(self))))
        place = range(len(self))[place]  # a negative one counts from the end, one beyond it raises
        if self.made is None or place < len(self.full):
            return self.full[place]
        return self.made.task(place - len(self.full))

    def __iter__(self) -> Iterator[PlannedTask]:
        yield from self.full
        if self.made is not None:
            yield from map(self.made.task, range(self.made.count))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def place(self, task_id: str) -> int | None:
        """Where the task of that id stands; None if there is none."""
        place = self._places.get(task_id)
        if place is None and self.made is not None and (index := self.made.index(task_id)) is not None:
            return len(self.full) + index
        return place
