"""Every operation of the API, in the order in which the description lists them."""

from __future__ import annotations

from orchestrator.daemon.api import events, health, openapi, outputs, runs, tasks
from orchestrator.daemon.api.bodies import FORM, JSON, TOML
from orchestrator.daemon.api.routing import Answer, Kind, Parameter, Route
from orchestrator.daemon.api.views import Health, OutputPage, RunPage, RunView, TaskPage
from orchestrator.daemon.records import Phase
from orchestrator.daemon.tokens import Scope

_AFTER = Parameter("after", "`next` of the page before.")
_LIMIT = Parameter("limit", "The most rows.", Kind.NUMBER, least=1, most=1000)
_SUBMITTER = Parameter("submitter", "Whose turn the run takes; submitters take turns.", least=1, most=200)
_LAST = Parameter(
    "Last-Event-ID",
    "The number of the last event that was seen.",
    Kind.NUMBER,
    place="header",
    least=0,
    most=2**63 - 1,
)
_STREAM = Answer(200, "Events; `id` is what `Last-Event-ID` takes.", "text/event-stream")
_ONE = Answer(200, "The run.", schema=RunView)

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/v1/runs",
        name="submit",
        told="Take a job. The answer comes once the run is on the disk: it is not lost by any later crash.",
        handler=runs.submit,
        scope=Scope.WRITE,
        parameters=(
            Parameter("priority", "Higher ones begin first.", Kind.NUMBER, least=-1000, most=1000),
            _SUBMITTER,
            Parameter(
                "Idempotency-Key",
                "The same key with the same body gives the same run.",
                place="header",
                least=1,
                most=200,
            ),
        ),
        answers=(
            Answer(201, "The run was accepted.", schema=RunView),
            Answer(200, "The key had brought this run before.", schema=RunView),
        ),
        problems=(413, 415, 422, 503),
        takes=(JSON, TOML, FORM),
    ),
    Route(
        method="GET",
        path="/v1/runs",
        name="runs",
        told="Runs, newest first.",
        handler=runs.list_runs,
        scope=Scope.READ,
        parameters=(_LIMIT, _AFTER, Parameter("phase", "Only in this phase.", values=tuple(Phase))),
        answers=(Answer(200, "A page.", schema=RunPage),),
        problems=(404,),
    ),
    Route(
        method="GET",
        path="/v1/runs/{run_id}",
        name="run",
        told="A run, with its place in line or its progress or its result.",
        handler=runs.show,
        scope=Scope.READ,
        answers=(_ONE,),
        problems=(404,),
    ),
    Route(
        method="DELETE",
        path="/v1/runs/{run_id}",
        name="forget",
        told="Forget a run that is over, and the input files that came with it; its results stay.",
        handler=runs.forget,
        scope=Scope.WRITE,
        answers=(Answer(204, "It is forgotten.", content=""),),
        problems=(404, 409),
    ),
    Route(
        method="POST",
        path="/v1/runs/{run_id}/cancel",
        name="cancel",
        told="End a run early; clean-up goes by its job file. One that is over stays as it is.",
        handler=runs.cancel,
        scope=Scope.WRITE,
        answers=(Answer(202, "The run, which is about to end.", schema=RunView),),
        problems=(404,),
    ),
    Route(
        method="POST",
        path="/v1/runs/{run_id}/retry-failed",
        name="retry_failed",
        told="Do the tasks again that did not succeed: a new run, whose `parent` is this one.",
        handler=runs.retry_failed,
        scope=Scope.WRITE,
        parameters=(_SUBMITTER,),
        answers=(Answer(201, "The new run.", schema=RunView),),
        problems=(404, 409, 422, 503),
    ),
    Route(
        method="GET",
        path="/v1/runs/{run_id}/tasks",
        name="tasks",
        told="Tasks of a run, in the order in which they were added.",
        handler=tasks.list_tasks,
        scope=Scope.READ,
        parameters=(_LIMIT, _AFTER, Parameter("state", "Only in this state.", values=tasks.STATES)),
        answers=(Answer(200, "A page.", schema=TaskPage),),
        problems=(404,),
    ),
    Route(
        method="GET",
        path="/v1/runs/{run_id}/tasks/{task_id}/{log:stdout|stderr}",
        name="log",
        told="What a task wrote: from its node while it runs, from the disk afterwards.",
        handler=tasks.log,
        scope=Scope.READ,
        parameters=(Parameter("follow", "Go on until the task ends.", Kind.FLAG),),
        answers=(Answer(200, "The text.", "text/plain"),),
        problems=(404,),
    ),
    Route(
        method="GET",
        path="/v1/runs/{run_id}/outputs",
        name="outputs",
        told="The files of a run that are here already.",
        handler=outputs.list_outputs,
        scope=Scope.READ,
        parameters=(_LIMIT, _AFTER),
        answers=(Answer(200, "A page.", schema=OutputPage),),
        problems=(404,),
    ),
    Route(
        method="GET",
        path="/v1/runs/{run_id}/outputs/{path:.+}",
        name="output",
        told="One file.",
        handler=outputs.output,
        scope=Scope.READ,
        answers=(
            Answer(200, "The file.", "application/octet-stream"),
            Answer(206, "A part of it.", "application/octet-stream"),
        ),
        problems=(404, 416),
    ),
    Route(
        method="GET",
        path="/v1/runs/{run_id}/events",
        name="run_events",
        told="The events of a run, from its first to its last.",
        handler=events.of_run,
        scope=Scope.READ,
        parameters=(_LAST,),
        answers=(_STREAM,),
        problems=(404, 503),
    ),
    Route(
        method="GET",
        path="/v1/events",
        name="events",
        told="The events of all runs, from now on or after `Last-Event-ID`.",
        handler=events.of_all,
        scope=Scope.READ,
        parameters=(_LAST,),
        answers=(_STREAM,),
        problems=(503,),
    ),
    Route(
        method="GET",
        path="/healthz",
        name="alive",
        told="Whether the loop turns.",
        handler=health.alive,
        scope=None,
        answers=(Answer(200, "It does.", schema=Health), Answer(503, "It is stuck.", schema=Health)),
    ),
    Route(
        method="GET",
        path="/readyz",
        name="ready",
        told="Whether runs are taken and the account answers.",
        handler=health.ready,
        scope=None,
        answers=(Answer(200, "Yes.", schema=Health), Answer(503, "No, and why.", schema=Health)),
    ),
    Route(
        method="GET",
        path="/metrics",
        name="metrics",
        told="Figures for Prometheus.",
        handler=health.metrics,
        scope=Scope.READ,
        answers=(Answer(200, "In the text form.", "text/plain"),),
    ),
    Route(
        method="GET",
        path="/openapi.json",
        name="description",
        told="This description.",
        handler=openapi.description,
        scope=None,
        answers=(Answer(200, "OpenAPI 3.1."),),
    ),
)
