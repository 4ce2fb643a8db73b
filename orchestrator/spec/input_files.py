"""The files of a plan, kept small: a hundred thousand of them have few folders between them."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self, TypeAlias, overload

from orchestrator.spec.planned import InputFile

Row: TypeAlias = tuple[int, str, int, int]
"""A file: its folder's number, its name, its size in bytes, its time of change in ns since the epoch."""


class InputFiles(Sequence[InputFile]):
    """Files by their index, thirty bytes and a name each; the values are made when somebody looks.

    Filled by whoever makes the plan, and not changed afterwards.
    """

    def __init__(self) -> None:
        self._folders: dict[str, int] = {}
        self._folder_names: list[str] = []
        self._folder_of = array("I")
        # One run of bytes, and where each name ends: a string of its own takes fifty bytes more.
        self._names = bytearray()
        self._name_ends = array("Q")
        self._sizes = array("Q")
        self._modified = array("q")

    @classmethod
    def of(cls, files: Sequence[InputFile]) -> InputFiles:
        """The same files, kept small.

        Args:
            files: by their index.
        """
        if isinstance(files, cls):
            return files
        made = cls()
        for file in files:
            made.add(str(file.path), file.size, file.modified_ns)
        return made

    @classmethod
    def of_rows(cls, folders: Iterable[str], rows: Iterable[Row]) -> Self:
        """What `folders` and `rows` have told.

        Args:
            folders: by their number.
            rows: by the index of the file.

        Raises:
            ValueError: a row names a folder that there is not.
        """
        made = cls()
        for folder in folders:
            made._number(folder)
        for number, name, size, modified_ns in rows:
            if number >= len(made._folder_names):
                raise ValueError(f"folder {number} of {len(made._folder_names)}")
            made._append(number, name, size, modified_ns)
        return made

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
        return self._append(self._number(folder), name, size, modified_ns)

    def _number(self, folder: str) -> int:
        if (number := self._folders.get(folder)) is None:
            number = self._folders[folder] = len(self._folder_names)
            self._folder_names.append(folder)
        return number

    def _append(self, folder: int, name: str, size: int, modified_ns: int) -> int:
        self._folder_of.append(folder)
        self._names += name.encode()
        self._name_ends.append(len(self._names))
        self._sizes.append(size)
        self._modified.append(modified_ns)
        return len(self._sizes) - 1

    @property
    def folders(self) -> Sequence[str]:
        """The folders of the files, absolute, by their number."""
        return self._folder_names

    def rows(self) -> Iterator[Row]:
        """Every file, in order."""
        for index, size in enumerate(self._sizes):
            yield self._folder_of[index], self.name(index), size, self._modified[index]

    def name(self, index: int) -> str:
        """The last part of a file's path.

        Args:
            index: of the file, not negative.
        """
        start = self._name_ends[index - 1] if index else 0
        return self._names[start : self._name_ends[index]].decode()

    def path(self, index: int) -> str:
        """The path of a file, absolute.

        Args:
            index: of the file, not negative.
        """
        return os.path.join(self._folder_names[self._folder_of[index]], self.name(index))  # noqa: PTH118 - text is cheap

    def __len__(self) -> int:
        return len(self._sizes)

    @overload
    def __getitem__(self, index: int) -> InputFile: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[InputFile]: ...

    def __getitem__(self, index: int | slice) -> InputFile | Sequence[InputFile]:
        if isinstance(index, slice):
            return tuple(self[each] for each in range(*index.indices(len(self))))
        index = range(len(self))[index]  # a negative one counts from the end, one beyond it raises
        name = self.name(index)
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
