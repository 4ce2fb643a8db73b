"""Bodies of pools and nodes.

Source of facts: recorded (order, defaults, case of the echo); the REST pages "Add a pool to an account",
"Resize a pool".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.local.batch.autoscale import FormulaError, check_syntax
from orchestrator.local.batch.store.command_bodies import (
    CONTAINERS,
    NONADMIN_POOL_USER,
    PACKAGES,
    command_line,
    environment_settings,
    metadata_items,
    resource_files,
    user_identity,
)
from orchestrator.local.batch.store.shape import (
    Member,
    Reader,
    Shape,
    choice,
    flag,
    identifier,
    items,
    opaque,
    refused,
    shown,
    span,
    text,
    whole,
)
from orchestrator.local.wire.api_error import ApiError, invalid_property, missing_property, not_implemented
from orchestrator.local.wire.times import TICKS_PER_SECOND, UNLIMITED

_FIVE_MINUTES: Final = 5 * 60 * TICKS_PER_SECOND
_WEEK: Final = 7 * 24 * 3600 * TICKS_PER_SECOND
_MOST_SLOTS: Final = 256
_MOST_NODES_REMOVED: Final = 100
TARGETS: Final = ("targetDedicatedNodes", "targetLowPriorityNodes")
_SCALING: Final = ("autoScaleFormula", "autoScaleEvaluationInterval")
DEFAULT_INTERVAL: Final = "PT15M"
_BOTH_TARGETS: Final = "targetDedicatedNodes and/or targetLowPriorityNodes"

deallocation = choice("requeue", "terminate", "taskcompletion", "retaineddata")
_resize_timeout = span(_FIVE_MINUTES, UNLIMITED)

start_task = Shape(
    {
        "commandLine": Member(command_line, required=True),
        "containerSettings": CONTAINERS,
        "resourceFiles": resource_files,
        "environmentSettings": environment_settings,
        "userIdentity": Member(user_identity, default=NONADMIN_POOL_USER),
        "maxTaskRetryCount": Member(whole(-1), default=0),
        "waitForSuccess": Member(flag, default=True),
    }
)

_image_reference = Shape(
    {
        "publisher": text(empty=False),
        "offer": text(empty=False),
        "sku": text(empty=False),
        "version": Member(text(empty=False), default="latest"),
        "virtualMachineImageId": refused("images of one's own"),
        "sharedGalleryImageId": refused("images of one's own"),
        "communityGalleryImageId": refused("images of one's own"),
    }
)
_data_disk = Shape(
    {
        "lun": Member(whole(0, 63), required=True),
        "caching": Member(choice("none", "readonly", "readwrite"), default="none"),
        "diskSizeGB": Member(whole(1), required=True),
        "storageAccountType": Member(
            choice("standard_lrs", "premium_lrs", "standardssd_lrs"), default="standard_lrs"
        ),
        "managedDisk": opaque,
    }
)
_machine = Shape(
    {
        "imageReference": Member(_image_reference, required=True),
        "nodeAgentSKUId": Member(text(empty=False), required=True),
        "windowsConfiguration": refused("Windows pools"),
        "dataDisks": items(_data_disk),
        "licenseType": refused("Windows pools"),
        "containerConfiguration": CONTAINERS,
        "diskEncryptionConfiguration": opaque,
        "nodePlacementConfiguration": opaque,
        "extensions": refused("virtual machine extensions"),
        "osDisk": opaque,
        "securityProfile": opaque,
        "serviceArtifactReference": opaque,
    }
)


def _linux_machine(value: Any, name: str) -> dict[str, Any]:
    image = value.get("imageReference") if isinstance(value, dict) else None
    publisher = image.get("publisher") if isinstance(image, dict) else ""
    agent = value.get("nodeAgentSKUId") if isinstance(value, dict) else ""
    if "windows" in f"{publisher} {agent}".lower():
        raise not_implemented(f"{name} with a Windows image (nodes are processes of this machine)")
    return _machine(value, name)


_scheduling_policy = Shape(
    {
        "nodeFillType": Member(choice("Spread", "Pack"), default="Spread"),
        "jobDefaultOrder": Member(choice("none", "creationtime"), default="none"),
    }
)
_user_account = Shape(
    {
        "name": Member(text(20, empty=False), required=True),
        "password": Member(text(), required=True),
        "elevationLevel": Member(choice("nonadmin", "admin"), default="nonadmin"),
        "linuxUserConfiguration": opaque,
        "windowsUserConfiguration": refused("Windows pools"),
    }
)


def _account_without_password(value: Any, name: str) -> dict[str, Any]:
    return {key: one for key, one in _user_account(value, name).items() if key != "password"}


def vm_size(value: Any, name: str) -> str:
    """Read a vmSize, echoed in lower case (recorded)."""
    size: str = text(empty=False)(value, name)
    return size.lower()


def _network(value: Any, name: str) -> dict[str, Any]:
    given = opaque(value, name)
    if not isinstance(given, dict):
        raise invalid_property(name, shown(value), "An object is expected")
    filled = {"dynamicVNetAssignmentScope": "none", "enableAcceleratedNetworking": False}
    return {**given, **{key: default for key, default in filled.items() if key not in given}}


def _certificates(value: Any, name: str) -> list[Any]:
    if value != []:
        raise not_implemented(f"{name} (certificates)")
    return []  # echoed, other than empty lists elsewhere (recorded)


def _formula(value: Any, name: str) -> str:
    formula: str = text()(value, name)
    try:
        check_syntax(formula)
    except FormulaError as error:
        raise ApiError(400, error.code, error.message, **dict(error.values)) from None
    return formula


_interval = span(0, _WEEK)
"""How short it may be is the service's setting."""

DETAILS: Final[Mapping[str, Member | Reader]] = {
    "enableInterNodeCommunication": Member(flag, default=False),
    "startTask": start_task,
    "userAccounts": items(_account_without_password, 100),
    "certificateReferences": _certificates,
    "applicationPackageReferences": PACKAGES,
    "mountConfiguration": refused("mounted file systems"),
    "metadata": metadata_items,
    "taskSlotsPerNode": Member(whole(1, _MOST_SLOTS), default=1),
    "taskSchedulingPolicy": Member(
        _scheduling_policy, default={"nodeFillType": "Spread", "jobDefaultOrder": "none"}
    ),
    "virtualMachineConfiguration": Member(_linux_machine, required=True),
    "networkConfiguration": _network,
    "applicationLicenses": refused("application licenses"),
    "targetNodeCommunicationMode": choice("default", "classic", "simplified"),
    "upgradePolicy": refused("upgrade policies"),
}

SIZE: Final[Mapping[str, Member | Reader]] = {
    "resizeTimeout": Member(_resize_timeout, default="PT15M"),
    "targetDedicatedNodes": Member(whole(0), default=0),
    "targetLowPriorityNodes": Member(whole(0), default=0),
    "enableAutoScale": Member(flag, default=False),
    "autoScaleFormula": _formula,
    "autoScaleEvaluationInterval": _interval,
}

_pool = Shape(
    {
        "id": Member(identifier, required=True),
        "displayName": text(1024),
        "vmSize": Member(vm_size, required=True),
        **SIZE,
        **DETAILS,
    }
)
POOL_ORDER: Final = _pool.names
"""Of the echo; an auto pool's is another."""


def pool_body(body: dict[str, Any]) -> dict[str, Any]:
    """Read the body of pool creation.

    Args:
        body: as decoded.

    Returns:
        Its echo.

    Raises:
        ApiError: for what is wrong or not served.
    """
    return scaled_pool(_pool, body, "")


def scaled_pool(shape: Shape, body: Any, name: str) -> dict[str, Any]:
    """Read a pool, which has either a size or a formula.

    Args:
        shape: of the pool.
        body: as decoded.
        name: of the member that holds it; empty for a whole body.

    Raises:
        ApiError: for what is wrong or not served.
    """
    wire = shape(body, name)
    if not wire["enableAutoScale"]:
        for member in _SCALING:
            if member in wire:
                raise invalid_property(member, wire[member], "It goes with enableAutoScale only")
        return wire
    for target in TARGETS:
        if body.get(target) is not None:
            raise invalid_property(target, shown(body[target]), "It does not go with enableAutoScale")
    if "autoScaleFormula" not in wire:
        raise missing_property("autoScaleFormula")
    if "autoScaleEvaluationInterval" not in wire:
        wire = shape({**body, "autoScaleEvaluationInterval": DEFAULT_INTERVAL}, name)
    return wire


auto_scale_body = Shape({"autoScaleFormula": _formula, "autoScaleEvaluationInterval": _interval})
auto_scale_evaluation_body = Shape({"autoScaleFormula": Member(_formula, required=True)})


pool_patch = Shape(
    {
        "displayName": text(1024),
        "vmSize": vm_size,
        "enableInterNodeCommunication": flag,
        "startTask": start_task,
        "userAccounts": items(_account_without_password, 100),
        "certificateReferences": _certificates,
        "applicationPackageReferences": PACKAGES,
        "mountConfiguration": refused("mounted file systems"),
        "metadata": metadata_items,
        "taskSlotsPerNode": whole(1, _MOST_SLOTS),
        "taskSchedulingPolicy": _scheduling_policy,
        "virtualMachineConfiguration": _linux_machine,
        "networkConfiguration": _network,
        "targetNodeCommunicationMode": choice("default", "classic", "simplified"),
        "upgradePolicy": refused("upgrade policies"),
    }
)
ONLY_WHILE_EMPTY: Final = frozenset(pool_patch.names) - {
    "startTask",
    "certificateReferences",
    "applicationPackageReferences",
    "metadata",
    "targetNodeCommunicationMode",
}
"""Members of a PATCH that a pool with nodes refuses."""

pool_properties = Shape(
    {
        "startTask": start_task,
        "certificateReferences": _certificates,
        "applicationPackageReferences": PACKAGES,
        "metadata": metadata_items,
        "targetNodeCommunicationMode": choice("default", "classic", "simplified"),
    }
)

_resize = Shape(
    {
        "targetDedicatedNodes": whole(0),
        "targetLowPriorityNodes": whole(0),
        "resizeTimeout": Member(_resize_timeout, default="PT15M"),
        "nodeDeallocationOption": Member(deallocation, default="requeue"),
    }
)


def resize_body(body: dict[str, Any]) -> dict[str, Any]:
    """Read the body of a resize.

    Args:
        body: as decoded.

    Returns:
        Its echo.

    Raises:
        ApiError: for what is wrong, above all when no target is given (recorded).
    """
    wire = _resize(body, "")
    if not any(target in wire for target in TARGETS):
        raise missing_property(_BOTH_TARGETS)
    return wire


remove_nodes_body = Shape(
    {
        "nodeList": Member(items(text(empty=False), _MOST_NODES_REMOVED), required=True),
        "resizeTimeout": Member(_resize_timeout, default="PT15M"),
        "nodeDeallocationOption": Member(deallocation, default="requeue"),
    }
)
reimage_body = Shape({"nodeReimageOption": Member(deallocation, default="requeue")})
deallocate_body = Shape({"nodeDeallocateOption": Member(deallocation, default="requeue")})
reboot_body = Shape({"nodeRebootOption": Member(deallocation, default="requeue")})
disable_scheduling_body = Shape(
    {
        "nodeDisableSchedulingOption": Member(
            choice("requeue", "terminate", "taskcompletion"), default="requeue"
        )
    }
)
