"""Brings a task's resource files into its working directory.

Facts: `httpUrl` goes to `wd/<filePath>`; `storageContainerUrl` to `wd/<filePath>/<full blob name>` for
every blob whose name starts with `blobPrefix`, the prefix not stripped; `fileMode` is octal, 0770 by
default; parents are made, files that are there overwritten; `..` and absolute paths are refused. A
container of storage takes part by its SAS only: a managed identity or the account's automatic storage is
not served here.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

from . import failures
from .confinement import EscapeError, inside
from .failures import DiskStep, NodeFailure, Trouble, disk_failure
from .transfer import CHUNK, STORAGE_VERSION, Channel, ShortAnswerError, TransferError

_DEFAULT_MODE = 0o770
_MOST_MODE = 0o7777
_PAGE = 5000


def download_all(
    resource_files: Sequence[Mapping[str, Any]], working_directory: Path, channel: Channel
) -> None:
    """Download every resource file, in order.

    Args:
        resource_files: wire form.
        working_directory: exists.
        channel: of this execution.

    Raises:
        NodeFailure: the first thing that goes wrong.
        TransferCancelled: when the channel is cancelled.
    """
    for resource in resource_files:
        mode = file_mode(resource)
        file_path = resource.get("filePath") or ""
        if url := resource.get("httpUrl"):
            _download(url, file_path, _place(working_directory, file_path), mode, channel)
        elif url := resource.get("storageContainerUrl"):
            folder = _place(working_directory, file_path, allow_folder_itself=True)
            for name in list_blobs(url, resource.get("blobPrefix") or "", channel):
                path = f"{file_path}/{name}" if file_path else name
                target = _place(folder, name)
                if name.endswith("/"):  # how a folder is kept in a flat container
                    _make_folder(target, path)
                else:
                    _download(blob_url(url, name), path, target, mode, channel)
        else:
            reason = "only httpUrl and storageContainerUrl with a SAS are served"
            raise NodeFailure(
                failures.download_failure(Trouble.OTHER, {"FilePath": file_path, "Message": reason})
            )


def file_mode(resource: Mapping[str, Any]) -> int:
    """Read a resource file's mode.

    Args:
        resource: wire form.

    Returns:
        The permission bits.

    Raises:
        NodeFailure: if it is not octal.
    """
    text = resource.get("fileMode")
    if not text:
        return _DEFAULT_MODE
    try:
        mode = int(str(text), 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= _MOST_MODE:
        reason = f"fileMode is not octal: {text!r}"
        raise NodeFailure(disk_failure(DiskStep.CREATE, resource.get("filePath") or "", reason))
    return mode


def blob_url(container_url: str, name: str) -> str:
    """Name a blob in a container, with the container's SAS.

    Args:
        container_url: with or without a query.
        name: of the blob, as it is.

    Returns:
        The blob's address.
    """
    parts = urlsplit(container_url)
    path = f"{parts.path.rstrip('/')}/{quote(os.fsencode(name), safe='/~')}"
    return urlunsplit(parts._replace(path=path, fragment=""))


def list_blobs(container_url: str, prefix: str, channel: Channel) -> Iterator[str]:
    """List the names of a container's blobs, page by page.

    Args:
        container_url: with a SAS that may list.
        prefix: of the names.
        channel: to ask with.

    Yields:
        Full names.

    Raises:
        NodeFailure: with one of the `ResourceContainer…` codes.
    """
    parts = urlsplit(container_url)
    marker = ""
    while True:
        query = {"restype": "container", "comp": "list", "maxresults": str(_PAGE)}
        query |= {name: value for name, value in (("prefix", prefix), ("marker", marker)) if value}
        both = "&".join(filter(None, (parts.query, urlencode(query, quote_via=quote))))
        url = urlunsplit(parts._replace(query=both, fragment=""))
        try:
            page = channel.retrying(partial(_get_page, url, channel))
            # The server is the one that the task's owner named; expat itself limits what entities may
            # grow to.
            root = ET.fromstring(page)  # noqa: S314
        except TransferError as error:
            raise NodeFailure(failures.listing_failure(error.trouble, error.details())) from error
        except ET.ParseError as error:
            raise NodeFailure(
                failures.listing_failure(Trouble.OTHER, {"Message": "the listing is not XML"})
            ) from error
        for element in root.iterfind("./Blobs/Blob/Name"):
            text = element.text or ""
            yield unquote(text) if element.get("Encoded") == "true" else text
        marker = root.findtext("NextMarker") or ""
        if not marker:
            return


def _get_page(url: str, channel: Channel) -> bytes:
    with channel.request("GET", url, headers={"x-ms-version": STORAGE_VERSION}) as answer:
        return answer.read()


def _place(folder: Path, relative: str, *, allow_folder_itself: bool = False) -> Path:
    try:
        return inside(folder, relative, allow_folder_itself=allow_folder_itself)
    except EscapeError as error:
        raise NodeFailure(disk_failure(DiskStep.CREATE, relative, str(error))) from error


def _make_folder(folder: Path, file_path: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NodeFailure(disk_failure(DiskStep.DIRECTORY, file_path, error)) from error


def _download(url: str, file_path: str, target: Path, mode: int, channel: Channel) -> None:
    _make_folder(target.parent, file_path)
    try:
        channel.retrying(lambda: _download_once(url, file_path, target, mode, channel))
    except TransferError as error:
        source = urlsplit(url)
        # Without its query, which may be a SAS, and without a user and password.
        plain = f"{source.scheme}://{source.netloc.rpartition('@')[2]}{source.path}"
        details = {"FilePath": file_path, "BlobSource": plain} | error.details()
        raise NodeFailure(failures.download_failure(error.trouble, details)) from error


def _download_once(url: str, file_path: str, target: Path, mode: int, channel: Channel) -> None:
    with channel.request("GET", url) as answer:
        try:
            # The command can't have left a link here, but an earlier resource file's folder is worth no
            # trust either.
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise NodeFailure(disk_failure(DiskStep.CREATE, file_path, error)) from error
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            size, digest = _copy(answer, file.fileno(), file_path, channel)
            try:
                os.fchmod(file.fileno(), mode)
            except OSError as error:
                raise NodeFailure(disk_failure(DiskStep.CREATE, file_path, error)) from error
        expected = answer.getheader("Content-Length")
        if expected is not None and size != int(expected):
            raise ShortAnswerError("the answer ended early")
        checksum = answer.getheader("Content-MD5")
        if checksum is not None and checksum != base64.b64encode(digest).decode():
            raise ShortAnswerError("the content does not have the MD5 that came with it")


def _copy(
    answer: http.client.HTTPResponse, descriptor: int, file_path: str, channel: Channel
) -> tuple[int, bytes]:
    """Write a body to a file; gives its size and MD5."""
    md5 = hashlib.md5(usedforsecurity=False)
    size = 0
    while chunk := answer.read(CHUNK):
        channel.check()
        md5.update(chunk)
        size += len(chunk)
        view = memoryview(chunk)
        while view:
            try:
                view = view[os.write(descriptor, view) :]
            except OSError as error:
                raise NodeFailure(disk_failure(DiskStep.WRITE, file_path, error)) from error
    return size, md5.digest()
