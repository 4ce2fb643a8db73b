"""The outputs of a task go up together: every file, then the manifest that names them."""

from __future__ import annotations

from pathlib import Path
from typing import Iterable, List

from node_task import manifest
from node_task.upload import Uploader


def deliver(outputs: Iterable[Path], directory: Path, uploader: Uploader) -> List[manifest.FileEntry]:
    """Uploads the outputs of a task, and the manifest last: who sees it knows that all is there.

    Args:
        outputs: The files, each below the working directory.
        directory: The task's working directory.
        uploader: Writes the blobs.

    Returns:
        What was uploaded, the manifest not counted.

    Raises:
        UsageError: A file cannot be a blob by its name; nothing has been uploaded then.
        FileError: A file cannot be read.
        UploadError: A blob could not be written; there is no manifest then.
    """
    named = [(output, manifest.manifest_path(output, directory)) for output in outputs]
    files = []
    for output, name in named:
        file = manifest.describe(output, name)
        uploader.put_file(output, file)
        files.append(file)
    uploader.put_bytes(manifest.NAME, manifest.to_json(files), "application/json")
    return files
