"""Parts of bodies that start, preparation, release and job tasks share.

Source of facts: recorded (order, defaults, case of the echo).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.local.batch.store.shape import (
    Member,
    Reader,
    Shape,
    choice,
    items,
    refused,
    shown,
    text,
)
from orchestrator.local.wire.api_error import invalid_property, missing_property

LONGEST_COMMAND: Final = 32_768
WEEK: Final = "P7D"
NONADMIN_POOL_USER: Final[Mapping[str, Any]] = {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}}

_SOURCES: Final = ("httpUrl", "storageContainerUrl", "autoStorageContainerName")

_resource_file = Shape(
    {
        "autoStorageContainerName": refused("the local account has no auto-storage"),
        "storageContainerUrl": text(empty=False),
        "httpUrl": text(empty=False),
        "blobPrefix": text(),
        "filePath": text(empty=False),
        "fileMode": text(empty=False),
        "identityReference": refused("managed identities"),
    }
)


def _resource_file_checked(value: Any, name: str) -> dict[str, Any]:
    wire = _resource_file(value, name)
    sources = [source for source in _SOURCES if source in wire]
    if len(sources) != 1:
        raise invalid_property(name, ", ".join(sources), f"Exactly one of {', '.join(_SOURCES)} is expected")
    path = wire.get("filePath")
    if "httpUrl" in wire:
        if path is None:
            raise missing_property("filePath")
        if "blobPrefix" in wire:
            raise invalid_property("blobPrefix", wire["blobPrefix"], "It goes with a container only")
    if path is not None and (path.startswith("/") or ".." in path.split("/")):
        raise invalid_property("filePath", shown(path), "It must stay below the working directory")
    return wire


resource_files: Final[Reader] = items(_resource_file_checked)

environment_settings: Final[Reader] = items(
    Shape({"name": Member(text(empty=False), required=True), "value": text()})
)

metadata_items: Final[Reader] = items(
    Shape({"name": Member(text(), required=True), "value": Member(text(), required=True)})
)

_user_identity = Shape(
    {
        "username": text(empty=False),
        "autoUser": Shape(
            {
                "scope": Member(choice("task", "pool"), default="pool"),
                "elevationLevel": Member(choice("nonadmin", "admin"), default="nonadmin"),
            }
        ),
    }
)


def user_identity(value: Any, name: str) -> dict[str, Any]:
    """Read a userIdentity: a name or an auto-user, not both."""
    wire = _user_identity(value, name)
    if len(wire) != 1:
        raise invalid_property(name, ", ".join(wire), "Exactly one of username, autoUser is expected")
    return wire


command_line: Final = text(LONGEST_COMMAND, empty=False)

CONTAINERS: Final = refused("containers")
PACKAGES: Final = refused("application packages")
