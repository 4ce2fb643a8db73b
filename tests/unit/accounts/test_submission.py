"""Every task that was sent has exactly one fate, in the order sent, whatever the answer looks like."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.accounts.submission import AddStatus, collection, outcomes


def sent(*ids: str) -> list[bytes]:
    return [json.dumps({"commandLine": "x", "id": task_id}).encode() for task_id in ids]


def result(task_id: str, status: str, code: str = "", message: str = "") -> dict[str, Any]:
    told: dict[str, Any] = {"taskId": task_id, "status": status}
    if code:
        told["error"] = {"code": code, "message": {"lang": "en-US", "value": message}, "values": []}
    return told


def answer(*results: dict[str, Any]) -> bytes:
    return json.dumps({"odata.metadata": "m", "value": list(results)}).encode()


def test_a_collection_is_the_tasks_as_they_are() -> None:
    assert json.loads(collection(sent("a", "b"))) == {
        "value": [{"commandLine": "x", "id": "a"}, {"commandLine": "x", "id": "b"}]
    }


@given(st.permutations(["a", "b", "c", "d", "e"]))
def test_results_in_any_order_are_told_in_the_order_sent(order: list[str]) -> None:
    told = {
        "a": result("a", "Success"),
        "b": result("b", "ClientError", "InvalidPropertyValue", "No.\nRequestId:1\nTime:2"),
        "c": result("c", "servererror", "InternalError", "Oh."),
        "d": result("d", "clienterror", "TaskExists", "There."),
        "e": result("e", "SUCCESS"),
    }
    fates = outcomes(
        sent("a", "b", "c", "d", "e"), answer(*(told[task_id] for task_id in order)), in_doubt=False
    )
    assert [(fate.task_id, fate.status) for fate in fates] == [
        ("a", AddStatus.ACCEPTED),
        ("b", AddStatus.REFUSED),
        ("c", AddStatus.RETRY),
        ("d", AddStatus.EXISTS),
        ("e", AddStatus.ACCEPTED),
    ]
    assert (fates[1].code, fates[1].message) == ("InvalidPropertyValue", "No.")


@given(st.sets(st.sampled_from("abcdef")))
def test_a_task_that_the_answer_does_not_mention_may_be_sent_again(mentioned: set[str]) -> None:
    fates = outcomes(sent(*"abcdef"), answer(*(result(one, "success") for one in mentioned)), in_doubt=True)
    assert [fate.status for fate in fates] == [
        AddStatus.ACCEPTED if one in mentioned else AddStatus.RETRY for one in "abcdef"
    ]


def test_what_exists_after_a_lost_answer_is_perhaps_ours() -> None:
    told = answer(result("a", "clienterror", "TaskExists"))
    assert outcomes(sent("a"), told, in_doubt=True)[0].status is AddStatus.PERHAPS_OURS


def test_an_unknown_status_is_no_success() -> None:
    assert outcomes(sent("a"), answer(result("a", "")), in_doubt=False)[0].status is AddStatus.REFUSED


def test_two_tasks_of_one_id_have_a_fate_each() -> None:
    told = answer(result("a", "success"), result("a", "clienterror", "TaskExists"))
    fates = outcomes(sent("a", "a"), told, in_doubt=False)
    assert [fate.status for fate in fates] == [AddStatus.ACCEPTED, AddStatus.EXISTS]


def test_ids_are_matched_without_case_and_told_as_they_were_sent() -> None:
    assert outcomes(sent("Task"), answer(result("task", "success")), in_doubt=False)[0].task_id == "Task"


def test_the_values_of_a_refusal_are_told_without_signatures() -> None:
    refused = result("a", "clienterror", "InvalidPropertyValue", "Bad https://h/c?sig=c2VjcmV0")
    refused["error"]["values"] = [{"key": "Reason", "value": "https://h/c?sig=c2VjcmV0"}]
    message = outcomes(sent("a"), answer(refused), in_doubt=False)[0].message
    assert message == "Bad https://h/c; Reason: https://h/c"
