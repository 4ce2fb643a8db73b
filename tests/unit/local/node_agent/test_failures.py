"""The table of failures: codes and categories as the service's documentation and recordings have them."""

from __future__ import annotations

import errno

import pytest

from orchestrator.local.node_agent import failures
from orchestrator.local.node_agent.failures import DiskStep, Trouble, trouble_of_status


@pytest.mark.parametrize(
    ("failure", "category", "code"),
    [
        (failures.failure_exit_code(), "UserError", "FailureExitCode"),
        (failures.command_program_not_found(), "UserError", "CommandProgramNotFound"),
        (failures.command_launch_failed("x"), "UserError", "CommandLaunchFailed"),
        (failures.wall_clock_exceeded(), "UserError", "TaskEnded"),
        (failures.ended("TaskEnded", "x"), "UserError", "TaskEnded"),
        (failures.download_failure(Trouble.NOT_FOUND, {}), "UserError", "BlobNotFound"),
        (failures.download_failure(Trouble.DENIED, {}), "UserError", "BlobAccessDenied"),
        (failures.download_failure(Trouble.TIMED_OUT, {}), "ServerError", "BlobDownloadTimedOut"),
        (failures.download_failure(Trouble.CONFLICT, {}), "ServerError", "BlobDownloadMiscError"),
        (failures.download_failure(Trouble.OTHER, {}), "ServerError", "BlobDownloadMiscError"),
        (failures.listing_failure(Trouble.NOT_FOUND, {}), "UserError", "ResourceContainerNotFound"),
        (failures.listing_failure(Trouble.DENIED, {}), "UserError", "ResourceContainerAccessDenied"),
        (failures.listing_failure(Trouble.TIMED_OUT, {}), "ServerError", "ResourceContainerListTimedOut"),
        (failures.listing_failure(Trouble.OTHER, {}), "ServerError", "ResourceContainerListMiscError"),
        (failures.upload_failure(Trouble.NOT_FOUND, {}), "UserError", "FileUploadContainerNotFound"),
        (failures.upload_failure(Trouble.DENIED, {}), "UserError", "FileUploadAccessDenied"),
        (failures.upload_failure(Trouble.CONFLICT, {}), "UserError", "FileUploadConflict"),
        (failures.upload_failure(Trouble.TIMED_OUT, {}), "ServerError", "FileUploadTimedOut"),
        (failures.upload_failure(Trouble.OTHER, {}), "ServerError", "FileUploadMiscError"),
        (failures.disk_failure(DiskStep.CREATE, "a", "x"), "ServerError", "ResourceFileCreateFailed"),
        (failures.disk_failure(DiskStep.WRITE, "a", "x"), "ServerError", "ResourceFileWriteFailed"),
        (failures.disk_failure(DiskStep.DIRECTORY, "a", "x"), "ServerError", "ResourceDirectoryCreateFailed"),
        (
            failures.disk_failure(DiskStep.WRITE, "a", OSError(errno.ENOSPC, "No space")),
            "ServerError",
            "DiskFull",
        ),
    ],
)
def test_each_happening_has_the_services_category_and_code(
    failure: failures.Failure, category: str, code: str
) -> None:
    assert (failure["category"], failure["code"]) == (category, code)
    assert failure["message"]
    assert all(set(pair) == {"name", "value"} for pair in failure["details"])


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (404, Trouble.NOT_FOUND),
        (401, Trouble.DENIED),
        (403, Trouble.DENIED),
        (409, Trouble.CONFLICT),
        (412, Trouble.CONFLICT),
        (408, Trouble.TIMED_OUT),
        (504, Trouble.TIMED_OUT),
        (400, Trouble.OTHER),
        (500, Trouble.OTHER),
    ],
)
def test_a_status_is_sorted_into_its_trouble(status: int, trouble: Trouble) -> None:
    assert trouble_of_status(status) is trouble


def test_the_exit_code_failure_is_the_recorded_one() -> None:
    message = "The task exited with an exit code representing a failure"
    assert failures.failure_exit_code() == {
        "category": "UserError",
        "code": "FailureExitCode",
        "message": message,
        "details": [{"name": "Message", "value": message}],
    }


def test_a_file_name_that_is_no_utf8_still_fits_the_wire() -> None:
    failure = failures.upload_failure(Trouble.OTHER, {"FilePath": "caf\udce9"})
    assert failure["details"][0]["value"].encode() == b"caf\\udce9"
