"""The files of a plan, kept small: a hundred thousand of them have few folders between them."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import overload

from orchestrator.spec.planned import InputFile


class InputFiles(Sequence[InputFile]):
    """Files by their index, a hundred bytes and a name each; the values are made when somebody looks.

    Filled by whoever makes the plan, and not changed afterwards.
    """

    def __init__(self) -> None:
        self._folders: dict[str, int] = {}
        self._folder_names: list[str] = []
        self._folder_of = array("I")
        self._names: list[str] = []
        self._sizes = array("Q")
        self._modified = array("q")

    def add(self, path: str, size: int, modified_ns: int) -> int:
        """Put a file behind the others.

        Args:
            path: absolute.
            size: in bytes.
            modified_ns: when it was last changed, in nanoseconds since the epoch.

        Returns:
            Its index.
        """
        folder, name = os.path.split(path)
        if (number := self._folders.get(folder)) is None:
            number = self._folders[folder] = len(self._folder_names)
            self._folder_names.append(folder)
        self._folder_of.append(number)
        self._names.append(name)
        self._sizes.append(size)
        self._modified.append(modified_ns)
        return len(self._names) - 1

    def name(self, index: int) -> str:
        """The last part of a file's path."""
        return self._names[index]

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> InputFile: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[InputFile]: ...

    def __getitem__(self, index: int | slice) -> InputFile | Sequence[InputFile]:
        if isinstance(index, slice):
            return tuple(self[each] for each in range(*index.indices(len(self))))
        index = range(len(self))[index]  # a negative one counts from the end, one beyond it raises
        name = self._names[index]
        return InputFile(
            index=index,
            path=Path(self._folder_names[self._folder_of[index]], name),
            name=name,
            size=self._sizes[index],
            modified_ns=self._modified[index],
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))
