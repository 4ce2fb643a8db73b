"""What the daemon refuses, each with its HTTP status and its remedy: one function a refusal."""

from __future__ import annotations

from orchestrator.errors import DaemonError


def no_token() -> DaemonError:
    """Nobody knows who asks."""
    return DaemonError(
        "the token is missing or wrong",
        status=401,
        remedy="send `Authorization: Bearer TOKEN` with the content of read.token or write.token in the "
        "daemon's state directory",
    )


def read_only() -> DaemonError:
    """Who asks may only look."""
    return DaemonError("this token may only read", status=403, remedy="use the one in write.token")


def foreign_host(host: str) -> DaemonError:
    """A name that is not the daemon's led here: DNS rebinding, or a proxy."""
    return DaemonError(
        f"the daemon is not called {host!r}",
        status=421,
        remedy="ask it by its address, or add the name to listen.allowed_hosts",
    )


def foreign_origin(origin: str) -> DaemonError:
    """A page of somebody else's asks."""
    return DaemonError(
        f"pages of {origin!r} may not ask the daemon",
        status=403,
        remedy="add the origin to listen.allowed_origins if the page is yours",
    )


def too_fast(seconds: float) -> DaemonError:
    """One client asks too often."""
    return DaemonError("too many requests", status=429, remedy=f"wait {seconds:.1f} s and ask again")


def line_too_long(waiting: int) -> DaemonError:
    """As many runs wait as may."""
    return DaemonError(
        f"{waiting} runs wait already",
        status=429,
        remedy="wait until some have begun, or raise daemon_limits.max_waiting",
    )


def draining() -> DaemonError:
    """The daemon is about to end."""
    return DaemonError(
        "the daemon is shutting down and takes no more runs", status=503, remedy="ask again once it is back"
    )


def key_reused(run_id: str) -> DaemonError:
    """An idempotency key stands for another wish already."""
    return DaemonError(
        f"this Idempotency-Key brought run {run_id}, with another body",
        status=422,
        remedy="use a fresh key for another job",
    )


def no_such_run(run_id: str) -> DaemonError:
    """There is none, or it is forgotten."""
    return DaemonError(f"there is no run {run_id!r}", status=404, remedy="GET /v1/runs lists them")


def no_such_task(task_id: str) -> DaemonError:
    """The run has none of that id, or has not come to it."""
    return DaemonError(
        f"there is no task {task_id!r} (yet)", status=404, remedy="GET /v1/runs/{id}/tasks lists them"
    )


def no_such_file(path: str) -> DaemonError:
    """It is not there, or not below the run's results."""
    return DaemonError(
        f"there is no file {path!r} among the outputs",
        status=404,
        remedy="GET /v1/runs/{id}/outputs lists them",
    )


def not_over(run_id: str) -> DaemonError:
    """What was asked for needs a run that is over."""
    return DaemonError(f"run {run_id} is not over", status=409, remedy="wait for its end, or cancel it first")


def nothing_to_retry(run_id: str) -> DaemonError:
    """Every task went well, or what failed is not known by name."""
    return DaemonError(
        f"no task of run {run_id} failed", status=409, remedy="submit the job again to run all of it"
    )


def wrong_request(problem: str, *, where: str = "", remedy: str = "see /openapi.json") -> DaemonError:
    """The request can't be read."""
    return DaemonError(problem, status=400, remedy=remedy, where=where)


def wrong_job(problem: str, *, where: str = "") -> DaemonError:
    """The job can't be right."""
    return DaemonError(
        problem, status=422, remedy="correct the job; `orchestrator check` finds the same", where=where
    )


def too_large(what: str, limit: int) -> DaemonError:
    """More bytes or files than one request may have."""
    return DaemonError(
        f"{what} has more than {limit}", status=413, remedy="send less, or raise it in [daemon_limits]"
    )


def unsupported(content_type: str) -> DaemonError:
    """A body in a form that is not taken."""
    return DaemonError(
        f"a job does not come as {content_type!r}",
        status=415,
        remedy="send application/json, application/toml or multipart/form-data",
    )


def too_many_listeners(limit: int) -> DaemonError:
    """As many event streams are open as may be."""
    return DaemonError(
        f"{limit} event streams are open already",
        status=503,
        remedy="close some, or raise daemon_limits.listeners",
    )
