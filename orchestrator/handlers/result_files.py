"""Puts a run's files on this disk: inside its folder, through no link, over nothing but its own results."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from orchestrator.errors import DownloadError
from orchestrator.handlers.result_ledger import FOLDER, FileDigest, ResultLedger, digest_of
from orchestrator.handlers.result_paths import checked_segments, disk_trouble, temporary_name
from orchestrator.states import TaskKey

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class ResultFiles:
    """The folder `{download_dir}/{job_id}`, where each task has a folder of its own.

    `download_dir` is the user's and may be a link; below it no link is followed. Opened with the first file.
    The methods that touch the disk block, so they are called in threads, of several files at the same time.

    Args:
        download_dir: of the job file.
        job_id: of the job.
    """

    def __init__(self, download_dir: Path, job_id: str) -> None:
        self.job_id = job_id
        self.folder = download_dir / job_id
        self._download_dir = download_dir
        self._lock = threading.Lock()
        self._opened: _Opened | None = None
        self._tasks: dict[str, str] = {}

    def task(self, task_id: str) -> TaskFolder:
        """The folder of a task; does not touch the disk.

        Raises:
            DownloadError: the id can't be a folder's name, or differs only by case from an earlier task's.
        """
        key = TaskKey(self.job_id, task_id)
        folded = task_id.casefold()
        if "/" in task_id or folded == FOLDER:
            raise DownloadError(f"the task's id {task_id!r} can't name its folder", key=key)
        try:
            checked_segments(task_id)
        except ValueError as error:
            raise DownloadError(f"the task's id can't name its folder: {error}", key=key) from error
        # Nearly every id is its own folded form; keeping one string for both halves the cost of a task.
        first = self._tasks.setdefault(task_id if folded == task_id else folded, task_id)
        if first != task_id:
            raise DownloadError(f"the task's id differs only by case from {first!r}", key=key)
        return TaskFolder(self, key)

    def close(self) -> None:
        """Close what is open; a file that comes later opens it again. Letting go of the object closes too."""
        with self._lock:
            if self._opened is not None:
                self._opened.finalizer()
                self._opened = None

    def open_folder(self, segments: Sequence[str]) -> int:
        """Open a folder below the job's, making what is missing; the caller closes the descriptor.

        Raises:
            OSError: a part of the way is a link, or no folder.
        """
        with self._lock:
            current = os.dup(self._open().descriptor)
        return _walk(current, segments)

    def admit(self, files: Sequence[Admission]) -> list[DownloadError | None]:
        """Make sure that putting files in their places destroys nothing, and write down what will be there.

        Args:
            files: what is to be put where.

        Returns:
            Of each what is in its place that no run of this job wrote; None where it may be put there.

        Raises:
            OSError: it can't be written down.
        """
        with self._lock:
            ledger = self._open().ledger
            found = [_obstacle(ledger, file) for file in files]
            ledger.add(
                (file.path, file.digest) for file, bad in zip(files, found, strict=True) if bad is None
            )
        return found

    def digests(self, path: str) -> tuple[FileDigest, ...]:
        """What runs of this job have written in that place, by their own record."""
        with self._lock:
            return self._open().ledger.digests(path)

    def _open(self) -> _Opened:
        if self._opened is None:
            self._download_dir.mkdir(parents=True, exist_ok=True)
            outer = os.open(self._download_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                descriptor = _enter(self.job_id, outer)
            finally:
                os.close(outer)
            try:
                ledger = ResultLedger(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            self._opened = _Opened(descriptor, ledger, weakref.finalize(self, _close, descriptor, ledger))
        return self._opened


class Admission(NamedTuple):
    """A file that is to be put in its place.

    Args:
        path: relative to the job's folder.
        name: its last segment.
        folder: descriptor of the folder that it is put in.
        digest: what it holds.
    """

    path: str
    name: str
    folder: int
    digest: FileDigest


class _Opened(NamedTuple):
    descriptor: int
    ledger: ResultLedger
    finalizer: Callable[[], object]


def _close(descriptor: int, ledger: ResultLedger) -> None:
    os.close(descriptor)
    ledger.close()


class TaskFolder:
    """One task's folder of results. Made by `ResultFiles.task`.

    Attributes:
        key: of the task.
        path: of the folder, on this disk.
    """

    def __init__(self, files: ResultFiles, key: TaskKey) -> None:
        self.key = key
        self.path = files.folder / key.task_id
        self._files = files
        self._names: dict[str, str] = {}
        self._lock = threading.Lock()
        self._descriptor: int | None = None

    def claim(self, path: str) -> str:
        """Reserve a path for a file; does not touch the disk.

        Args:
            path: below the task's folder, with slashes.

        Returns:
            The same path.

        Raises:
            DownloadError: it can't be a file's path, or another one differs from it only by case.
        """
        try:
            checked_segments(path)
        except ValueError as error:
            raise DownloadError(str(error), key=self.key, path=path) from error
        first = self._names.setdefault(path.casefold(), path)
        if first != path:
            raise DownloadError(f"it differs only by case from {first!r}", key=self.key, path=path)
        return path

    def has(self, path: str) -> bool:
        """Whether the path was claimed, in whatever case."""
        return path.casefold() in self._names

    def create(self, path: str) -> PartialFile:
        """A file that was claimed and will be written; does not touch the disk."""
        return PartialFile(self, path)

    def close(self) -> None:
        """Let go of the folder, once each of its files is finished or discarded."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def open(self, parents: Sequence[str]) -> int:
        """Open this folder, or one below it, making what is missing; the caller closes the descriptor.

        Raises:
            OSError: a part of the way is a link, or no folder.
        """
        with self._lock:
            if self._descriptor is None:
                self._descriptor = self._files.open_folder((self.key.task_id,))
            current = os.dup(self._descriptor)
        return _walk(current, parents)

    def written_before(self, path: str) -> FileDigest | None:
        """What a file in its place holds, if a run of this job wrote it; None otherwise. Blocks."""
        *parents, name = path.split("/")  # checked when it was claimed
        try:
            folder = self.open(parents)
            try:
                present = _present(name, folder)
            finally:
                os.close(folder)
        except (OSError, DownloadError):
            return None  # whoever writes it will tell
        return present if present in self._files.digests(f"{self.key.task_id}/{path}") else None

    def admit(self, folder: int, files: Sequence[tuple[str, FileDigest]]) -> list[DownloadError | None]:
        """Make sure that putting files in their places destroys nothing; see `ResultFiles.admit`.

        Args:
            folder: descriptor of the folder that all of them are put in.
            files: the path of each, as it was claimed, and what it holds.
        """
        task = self.key.task_id
        return self._files.admit(
            [Admission(f"{task}/{path}", path.rpartition("/")[2], folder, digest) for path, digest in files]
        )


class PartialFile:
    """A file under its temporary name. Its methods block; `finish` or `discard` ends it.

    Nothing is opened before the first `write`, so that whoever is cancelled while a thread does that still
    has the object to discard; the lock makes the discarding wait for that thread.
    """

    def __init__(self, folder: TaskFolder, path: str) -> None:
        *self._parents, self._name = path.split("/")  # checked when it was claimed
        self._home = folder
        self._path = path
        self._temporary = temporary_name(self._name)
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._size = 0
        self._lock = threading.Lock()
        self._folder: int | None = None
        self._file: int | None = None
        self.ended = False

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Append to the file; the first time, make it.

        Raises:
            DownloadError: the disk refuses, for example because it is full or a folder is a link.
        """
        with self._lock, self._told():
            file = self._open()
            for piece in pieces:
                self._md5.update(piece)
                self._size += len(piece)
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(file, rest) :]

    def finish(self, size: int | None, md5s: Sequence[bytes]) -> tuple[Path, int]:
        """Check the file and put it in its place.

        Args:
            size: that it must have, in bytes; None if nobody knows.
            md5s: that it must have; as many as somebody has told.

        Returns:
            Where it is, and its size.

        Raises:
            DownloadError: it is not what was to come, or its place is taken.
        """
        with self._lock, self._told():
            self._open()
            if size is not None and size != self._size:
                raise DownloadError(f"{self._size} bytes came, {size} were to come")
            if any(md5 != self._md5.digest() for md5 in md5s):
                raise DownloadError("its MD5 is not the one that was to come")
            folder = self._folder
            assert folder is not None  # noqa: S101  # opened with the file
            digest = FileDigest(self._size, self._md5.hexdigest())
            (obstacle,) = self._home.admit(folder, [(self._path, digest)])
            if obstacle is not None:
                raise obstacle
            os.replace(self._temporary, self._name, src_dir_fd=folder, dst_dir_fd=folder)
            self._close()
        return self._home.path / self._path, self._size

    def discard(self) -> None:
        """Remove what was written, if `finish` has not put it in its place."""
        with self._lock:
            if self._folder is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._temporary, dir_fd=self._folder)
            self._close()

    def _open(self) -> int:
        if self.ended:
            raise DownloadError("it was given up")
        if self._folder is None:
            self._folder = self._home.open(self._parents)
        if self._file is None:
            try:
                self._file = os.open(self._temporary, FILE_FLAGS, 0o666, dir_fd=self._folder)
            except FileExistsError:  # a killed run has left it, or somebody has put a link there
                os.unlink(self._temporary, dir_fd=self._folder)
                self._file = os.open(self._temporary, FILE_FLAGS, 0o666, dir_fd=self._folder)
        return self._file

    def _close(self) -> None:
        self.ended = True
        for descriptor in (self._file, self._folder):
            if descriptor is not None:
                os.close(descriptor)
        self._file = self._folder = None

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DownloadError(disk_trouble(error), key=self._home.key, path=self._path) from error
        except DownloadError as error:
            raise DownloadError(str(error), key=self._home.key, path=self._path) from error


def _walk(current: int, segments: Sequence[str]) -> int:
    """Go down from an open folder, which is closed on the way."""
    try:
        for segment in segments:
            deeper = _enter(segment, current)
            os.close(current)
            current = deeper
    except BaseException:
        os.close(current)
        raise
    return current


def _enter(segment: str, folder: int) -> int:
    with contextlib.suppress(FileExistsError):
        os.mkdir(segment, 0o777, dir_fd=folder)
    return os.open(segment, _FOLDER_FLAGS, dir_fd=folder)


def _obstacle(ledger: ResultLedger, file: Admission) -> DownloadError | None:
    try:
        present = _present(file.name, file.folder)
    except DownloadError as error:
        return error
    except OSError as error:  # of this file alone: those beside it may well be put in their places
        return DownloadError(disk_trouble(error))
    if present is None or present == file.digest or present in ledger.digests(file.path):
        return None
    return DownloadError("a file of that name is there that no run of this job wrote: move it away")


def _present(name: str, folder: int) -> FileDigest | None:
    """What holds the place now; None if it is free."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        kind = "link" if stat.S_ISLNK(found.st_mode) else "folder or special file"
        raise DownloadError(f"a {kind} of that name is in its place: move it away")
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        return digest_of(file)
    finally:
        os.close(file)
