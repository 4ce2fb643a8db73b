"""Whose doing a failure is: decided from the service's words, so that only what may pass is tried again."""

from __future__ import annotations

from typing import Final

from orchestrator.states import FailureClass, FailureInfo

# Codes first: the category says UserError also of what a storage account's bad day does to a task
# (`BlobAccessDenied`), and the category of the same code has changed between versions of the service.
_BY_CODE: Final = {
    "Unexplained": FailureClass.UNKNOWN,  # ours: a failure without a reason (tracker/tasks.py)
    "FailureExitCode": FailureClass.USER,
    "CommandProgramNotFound": FailureClass.USER,
    "CommandLaunchFailed": FailureClass.USER,
    "TaskEnded": FailureClass.USER,
    "TaskSchedulingConstraintFailed": FailureClass.USER,
    "ContainerInvalidImage": FailureClass.USER,
    "ContainerInvalidRegistry": FailureClass.USER,
    "ContainerInvalidSettings": FailureClass.USER,
    "DiskFull": FailureClass.INFRASTRUCTURE,
    "ApplicationPackageError": FailureClass.INFRASTRUCTURE,
    "ContainerMiscError": FailureClass.INFRASTRUCTURE,
    "MaxInternalRetryCountReached": FailureClass.INFRASTRUCTURE,
    "JobPreparationTaskFailed": FailureClass.INFRASTRUCTURE,
    "MountConfigurationError": FailureClass.INFRASTRUCTURE,
    "ResourceDirectoryCreateFailed": FailureClass.INFRASTRUCTURE,
    "ResourceFileCreateFailed": FailureClass.INFRASTRUCTURE,
    "ResourceFileWriteFailed": FailureClass.INFRASTRUCTURE,
}
_BY_PREFIX: Final = (
    ("Blob", FailureClass.STORAGE),
    ("Resource", FailureClass.STORAGE),
    ("FileUpload", FailureClass.STORAGE),
    ("Node", FailureClass.INFRASTRUCTURE),
    ("StartTask", FailureClass.INFRASTRUCTURE),
)
_OF_THE_SERVICE: Final = frozenset(
    {"InternalError", "OperationTimedOut", "ServerBusy", "ServiceUnavailable", "TooManyRequests"}
)
_DENIED: Final = frozenset({"BlobAccessDenied", "FileUploadAccessDenied", "ResourceContainerAccessDenied"})


def classify(failure: FailureInfo | None) -> FailureClass:
    """The class of a failure.

    Facts: the codes of resource files, output files and commands are those of the REST pages Task - Get and
    Batch Status and Error Codes and of recorded exchanges. The list is not closed: what is not known is
    `service` where the service takes the blame, and `unknown` else.

    Args:
        failure: of a task, a start task or a preparation task; None where the service gave no reason.
    """
    if failure is None:
        return FailureClass.UNKNOWN
    known = _BY_CODE.get(failure.code)
    if known is not None:
        return known
    for prefix, found in _BY_PREFIX:
        if failure.code.startswith(prefix):
            return found
    if failure.code in _OF_THE_SERVICE or failure.category == "servererror":
        return FailureClass.SERVICE
    return FailureClass.UNKNOWN


def access_denied(failure: FailureInfo | None) -> bool:
    """Whether storage refused the address that was used, as it does once its signature has expired.

    Args:
        failure: of a task, a start task or a preparation task.
    """
    return failure is not None and failure.code in _DENIED
