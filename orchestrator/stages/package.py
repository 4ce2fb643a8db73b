"""Packs the application: package folders become reproducible `.pyz` files, and everything gets a digest."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import anyio.to_thread
import msgspec

from orchestrator.errors import StagingError

_MAIN = '''"""Runs the package when the archive is executed."""
import runpy

runpy.run_module("{name}", run_name="__main__", alter_sys=True)
'''
KEPT = 64 * 1024
"""Up to this size an input's content is kept from its hashing to its upload: reading it again costs more."""
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)


class FileDigest(msgspec.Struct, frozen=True, kw_only=True):
    """The size in bytes and the digests of a file's content.

    Args:
        size: in bytes.
        md5: of all of it.
        sha256: hexadecimal.
    """

    size: int
    md5: bytes
    sha256: str


class PackedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file that the pool's nodes get: a local path, or the bytes made for it.

    Args:
        name: in the application's folder, or for the start task the path in its working directory.
        digest: of the content.
        path: None for a package, whose `content` was made here.
        for_start_task: whether it belongs to the start task and not to the application. It is kept with the
            application, since nodes that join later need both.
        file_mode: octal, None for the service's default.
    """

    name: str
    digest: FileDigest
    path: Path | None = None
    content: bytes = b""
    for_start_task: bool = False
    file_mode: str | None = None


class PackedApplication(msgspec.Struct, frozen=True, kw_only=True):
    """The application under the name that its content gives it.

    Args:
        container: named by the content: `app-` and 32 hex digits.
        files: in the order of their names.
    """

    container: str
    files: tuple[PackedFile, ...]

    @property
    def folder(self) -> str | None:
        """Its folder below the node's shared directory, None if there are only files of the start task."""
        return self.container if any(not file.for_start_task for file in self.files) else None


async def pack_application(
    paths: Iterable[Path], start_files: Iterable[tuple[Path, str, str | None]] = ()
) -> PackedApplication | None:
    """Pack files and package folders, reading in a thread.

    Args:
        paths: local files, or folders that are Python packages.
        start_files: the start task's own files: local path, path in its working directory, mode.

    Returns:
        The packed application, None where there is nothing to pack. The same content gives the same folder
        on every machine.

    Raises:
        StagingError: a file can't be read, or two have the same name.
    """
    listed, starting = tuple(paths), tuple(start_files)
    if not listed and not starting:
        return None
    return await anyio.to_thread.run_sync(_pack_all, listed, starting)


def _pack_all(
    paths: tuple[Path, ...], start_files: tuple[tuple[Path, str, str | None], ...]
) -> PackedApplication:
    packed: dict[tuple[bool, str], PackedFile] = {}
    for path in paths:
        file = _pack_folder(path) if path.is_dir() else _pack_file(path)
        if (False, file.name) in packed:
            raise StagingError(f"two files of the application are called {file.name}", path=str(path))
        packed[False, file.name] = file
    for path, file_path, file_mode in start_files:
        packed[True, file_path] = PackedFile(
            name=file_path, digest=digest_path(path)[0], path=path, for_start_task=True, file_mode=file_mode
        )
    files = tuple(packed[key] for key in sorted(packed))
    whole = hashlib.sha256()
    for file in files:
        told = f"{file.for_start_task}:{len(file.name)}:{file.name}:{file.file_mode}:{file.digest.sha256}\n"
        whole.update(told.encode("utf-8", "surrogateescape"))
    return PackedApplication(container=f"app-{whole.hexdigest()[:32]}", files=files)


def _pack_file(path: Path) -> PackedFile:
    return PackedFile(name=path.name, digest=digest_path(path)[0], path=path)


def _pack_folder(folder: Path) -> PackedFile:
    name = folder.resolve().name
    made = io.BytesIO()
    try:
        sources = sorted(
            path
            for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
        )
        # Stored, not deflated, with fixed dates: the same sources must give the same bytes wherever they
        # are packed, and compressors differ between versions of zlib.
        with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo("__main__.py", _FIRST_DATE), _MAIN.format(name=name))
            for path in sources:
                inside = f"{name}/{path.relative_to(folder).as_posix()}"
                archive.writestr(zipfile.ZipInfo(inside, _FIRST_DATE), path.read_bytes())
    except OSError as error:
        raise StagingError(f"the package can't be read: {error.strerror}", path=str(folder)) from error
    content = made.getvalue()
    digest = FileDigest(
        size=len(content),
        md5=hashlib.md5(content, usedforsecurity=False).digest(),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    return PackedFile(name=f"{name}.pyz", digest=digest, content=content)


def digest_path(path: Path) -> tuple[FileDigest, bytes | None]:
    """Read a file once for its size and its digests; blocks.

    Returns:
        The digest, and the content of a small file.

    Raises:
        StagingError: the file can't be read.
    """
    md5 = hashlib.md5(usedforsecurity=False)
    sha256 = hashlib.sha256()
    size = 0
    last = b""
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                sha256.update(chunk)
                md5.update(chunk)
                size += len(chunk)
                last = chunk
    except OSError as error:
        raise StagingError(f"can't be read: {error.strerror}", path=str(path)) from error
    content = last if len(last) == size <= KEPT else None
    return FileDigest(size=size, md5=md5.digest(), sha256=sha256.hexdigest()), content
