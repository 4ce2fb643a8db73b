"""Whose doing a failure is."""

from __future__ import annotations

import pytest

from orchestrator.states import FailureClass, FailureInfo
from orchestrator.tracker import classify
from orchestrator.tracker.failure_class import access_denied


def failure(code: str, category: str = "usererror") -> FailureInfo:
    return FailureInfo(category=category, code=code)


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("FailureExitCode", FailureClass.USER),
        ("CommandProgramNotFound", FailureClass.USER),
        ("TaskEnded", FailureClass.USER),
        ("DiskFull", FailureClass.INFRASTRUCTURE),
        ("ResourceFileWriteFailed", FailureClass.INFRASTRUCTURE),
        ("NodeSomethingNew", FailureClass.INFRASTRUCTURE),
        ("BlobNotFound", FailureClass.STORAGE),
        ("BlobAccessDenied", FailureClass.STORAGE),
        ("BlobDownloadMiscError", FailureClass.STORAGE),
        ("FileUploadMiscError", FailureClass.STORAGE),
        ("FileUploadSomethingNew", FailureClass.STORAGE),
        ("ResourceContainerListTimedOut", FailureClass.STORAGE),
        ("OperationTimedOut", FailureClass.SERVICE),
        ("NeverHeardOf", FailureClass.UNKNOWN),
    ],
)
def test_the_code_says_whose_doing_it_was_whatever_the_category(code: str, wanted: FailureClass) -> None:
    assert classify(failure(code)) is wanted
    if wanted is not FailureClass.UNKNOWN:
        assert classify(failure(code, "servererror")) is wanted


def test_the_service_has_what_it_takes_the_blame_for_though_the_code_is_new() -> None:
    assert classify(failure("NeverHeardOf", "servererror")) is FailureClass.SERVICE


def test_a_failure_without_a_reason_is_unknown() -> None:
    assert classify(None) is FailureClass.UNKNOWN
    assert classify(failure("Unexplained", "servererror")) is FailureClass.UNKNOWN


def test_a_refused_address_is_told_from_one_that_leads_nowhere() -> None:
    assert access_denied(failure("BlobAccessDenied"))
    assert access_denied(failure("FileUploadAccessDenied"))
    assert not access_denied(failure("BlobNotFound"))
    assert not access_denied(None)
