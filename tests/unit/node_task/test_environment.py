"""What a task reads from its environment."""

from __future__ import annotations

import pytest

from node_task.environment import BatchIds, batch_ids, output_destination
from node_task.errors import UsageError

URL = "http://127.0.0.1:10000/account/outputs?sig=secret"


def test_ids_come_from_the_variables_of_the_batch_service() -> None:
    environ = {
        "AZ_BATCH_NODE_ID": "n",
        "AZ_BATCH_TASK_ID": "t",
        "AZ_BATCH_JOB_ID": "j",
        "AZ_BATCH_POOL_ID": "p",
    }
    assert batch_ids(environ) == BatchIds(node="n", task="t", job="j", pool="p")


def test_an_id_that_is_not_set_or_empty_is_a_dash() -> None:
    assert batch_ids({"AZ_BATCH_JOB_ID": ""}) == BatchIds(node="-", task="-", job="-", pool="-")


@pytest.mark.parametrize(
    "environ", [{}, {"ORCHESTRATOR_OUTPUT_URL": ""}, {"ORCHESTRATOR_OUTPUT_PREFIX": "x"}]
)
def test_without_a_url_outputs_stay_on_the_node(environ: dict[str, str]) -> None:
    assert output_destination(environ) is None


def test_outputs_go_to_the_prefix() -> None:
    environ = {
        "ORCHESTRATOR_OUTPUT_URL": URL,
        "ORCHESTRATOR_OUTPUT_PREFIX": "prefix",
        "AZ_BATCH_TASK_ID": "task",
    }
    destination = output_destination(environ)
    assert destination is not None
    assert destination.prefix == "prefix"


def test_without_a_prefix_outputs_go_to_the_tasks_own_folder() -> None:
    destination = output_destination({"ORCHESTRATOR_OUTPUT_URL": URL, "AZ_BATCH_TASK_ID": "task"})
    assert destination is not None
    assert destination.prefix == "task"


def test_without_any_folder_outputs_are_refused() -> None:
    with pytest.raises(UsageError, match="set ORCHESTRATOR_OUTPUT_PREFIX or AZ_BATCH_TASK_ID"):
        output_destination({"ORCHESTRATOR_OUTPUT_URL": URL})
