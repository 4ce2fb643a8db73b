"""The local files of a plan, each looked at and listed once."""

from __future__ import annotations

import os
import stat
from array import array
from bisect import bisect_left
from pathlib import Path

from orchestrator.errors import SpecError
from orchestrator.spec.input_files import InputFiles
from orchestrator.spec.job import JobSpec
from orchestrator.spec.place import at_index, spec_error

_PACKAGE_MARKS = ("__init__.py", "__main__.py")


class FileList:
    """Collects the files that a run stages, and refuses what can't be staged.

    Args:
        job: whose paths are relative to its `base_dir`.
    """

    def __init__(self, job: JobSpec) -> None:
        self._job = job
        self._indexes: dict[str, int] = {}
        # What came sorted by its path is found by that: a dictionary takes more than the files themselves.
        self._sorted = range(0)
        self._files = InputFiles()

    def add(self, path: str, place: str) -> int:
        """List a file, if it is not listed yet.

        Args:
            path: relative to the job file, or absolute.
            place: in the job file, for the error.

        Returns:
            Its index.

        Raises:
            SpecError: there is none, it is no regular file, can't be read, or its name can't be decoded.
        """
        absolute = self._absolute(path, place)
        known = self._known(absolute)
        if known is not None:
            return known
        index = self._indexes[absolute] = self._list(absolute, path, place)
        return index

    def add_sorted(self, paths: list[str], place: str) -> array[int]:
        """List many files at once; only once for a plan.

        Args:
            paths: absolute, sorted, each once; the list is emptied meanwhile, so that it makes room.
            place: in the job file, for the error.

        Returns:
            Their indexes.

        Raises:
            SpecError: as `add`.
        """
        indexes = array("I")
        first = len(self._files)
        paths.reverse()
        while paths:
            path = paths.pop()
            known = self._indexes.get(self._absolute(path, place))
            indexes.append(self._list(path, path, place) if known is None else known)
        self._sorted = range(first, len(self._files))
        return indexes

    def _known(self, absolute: str) -> int | None:
        known = self._indexes.get(absolute)
        if known is None and self._sorted:
            at = bisect_left(self._sorted, absolute, key=self._files.path)
            if at < len(self._sorted) and self._files.path(self._sorted[at]) == absolute:
                return self._sorted[at]
        return known

    def _list(self, absolute: str, path: str, place: str) -> int:
        status = self._look(absolute, path, place)
        if stat.S_ISDIR(status.st_mode):
            raise self._error(place, f'"{path}" is a folder; name a file')
        self._check_regular(status, absolute, path, place)
        return self._files.add(absolute, status.st_size, status.st_mtime_ns)

    def name(self, index: int) -> str:
        """The name of a listed file."""
        return self._files.name(index)

    def listed(self) -> InputFiles:
        """Every file listed; it shows those that are listed later, too."""
        return self._files

    def application(self) -> tuple[Path, ...]:
        """The application's files and package folders, absolute; they are no inputs.

        Raises:
            SpecError: as `add`, or a folder is no package, or two would have the same name on the node.
        """
        found: list[Path] = []
        names: dict[str, str] = {}
        for index, path in enumerate(self._job.application.files):
            place = at_index("application.files", index)
            absolute = self._absolute(path, place)
            file = Path(absolute)
            status = self._look(absolute, path, place)
            name = file.name
            if stat.S_ISDIR(status.st_mode):
                if not any((file / mark).is_file() for mark in _PACKAGE_MARKS):
                    raise self._error(
                        place,
                        f'"{path}" is a folder without {" or ".join(_PACKAGE_MARKS)}, so it is no package',
                    )
                name = f"{name}.pyz"
            else:
                self._check_regular(status, absolute, path, place)
            other = names.setdefault(name.lower(), path)
            if other != path or file in found:
                raise self._error(place, f'"{path}" and "{other}" would both be "{name}" on the node')
            found.append(file)
        return tuple(found)

    def _absolute(self, path: str, place: str) -> str:
        joined = os.path.join(self._job.base_dir, path)  # noqa: PTH118 - a Path for each of very many files costs
        absolute = os.path.abspath(joined)  # noqa: PTH100 - as above
        if not _decodes(absolute):
            raise self._error(place, f'the name "{_visible(absolute)}" can\'t be decoded; rename it')
        return absolute

    def _look(self, absolute: str, path: str, place: str) -> os.stat_result:
        try:
            return os.stat(absolute)  # noqa: PTH116 - as above
        except FileNotFoundError as error:
            if os.path.lexists(absolute):
                raise self._error(place, f'"{path}" is a link that leads nowhere') from error
            raise self._error(place, f'there is no file "{path}" ({absolute})') from error
        except OSError as error:
            raise self._error(place, f'"{path}" can\'t be read: {error.strerror}') from error

    def _check_regular(self, status: os.stat_result, absolute: str, path: str, place: str) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise self._error(place, f'"{path}" is not a regular file')
        if not os.access(absolute, os.R_OK):
            raise self._error(place, f'"{path}" can\'t be read: permission denied')

    def _error(self, place: str, message: str) -> SpecError:
        return spec_error(self._job.source, place, message)


def _decodes(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _visible(path: str) -> str:
    try:
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return path.encode("utf-8", "backslashreplace").decode()
