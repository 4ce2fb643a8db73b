"""Whether what is wanted can be right, as far as that is known without looking at a disk: pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from orchestrator.spec.check_pool import pool_faults
from orchestrator.spec.check_tasks import NO_APPLICATION, task_faults
from orchestrator.spec.check_work import environment_faults, hook_faults
from orchestrator.spec.convert import to_builtins, to_job
from orchestrator.spec.duration import Duration
from orchestrator.spec.glance import written
from orchestrator.spec.ids import SAMPLE_RUN_ID, expand_run, id_problem
from orchestrator.spec.job import JobSpec
from orchestrator.spec.place import Fault, leaves, spec_error
from orchestrator.spec.resolve import reference_problem
from orchestrator.spec.secret import SecretReference
from orchestrator.spec.translate import translate

_PRIORITY = 1000
# A signature is found by its parameter's name, an account key by what connection strings call it.
_RAW_SECRET = re.compile(
    r"[?&]sig=[^&\s]|\bsig=[A-Za-z0-9%+/]{40}|\bAccountKey=[A-Za-z0-9+/]{20}", re.IGNORECASE
)
# In lower case, one of these is in the JSON of a job with a text that may be wrong.
_SUSPECT = ('"secret":', "\\u0000", "sig=", "accountkey=")


def check_job(job: JobSpec) -> None:
    """Refuse a job that can't be right.

    Raises:
        SpecError: `.where` names the first place that can't be right.
    """
    for fault in job_faults(job):
        raise spec_error(job.source, fault.place, fault.message)


def job_faults(job: JobSpec) -> Iterator[Fault]:
    """Everything that can't be right, in the order of the job file's parts.

    Only what has the right types is looked at further, so a wrong type comes alone.
    """
    wrong_type = _type_fault(job)
    if wrong_type is not None:
        yield wrong_type
        return
    yield from _text_faults(job)
    yield from _job_id_faults(job)
    yield from pool_faults(job.pool)
    yield from _time_faults(job)
    if abs(job.priority) > _PRIORITY:
        yield Fault("priority", f"{job.priority} is not between -1000 and 1000")
    if job.max_task_retry_count < -1:
        yield Fault("max_task_retry_count", "must be -1 (without limit), 0 or more")
    for name, times in job.retries.allowed().items():
        if times < 0:
            yield Fault(f"retries.{name}", "must be 0 or more")
    if job.max_failed_tasks < 0:
        yield Fault("max_failed_tasks", "must be 0 (never) or more")
    if "id" in job.rest:
        yield Fault("rest.id", "give it as id")
    yield from environment_faults(job.environment, "environment")
    for place, hook in (("preparation", job.preparation), ("release", job.release)):
        if hook is not None:
            no_application = None if job.application.files else NO_APPLICATION
            yield from hook_faults(hook, place, no_application=no_application)
    yield from task_faults(job)


def _type_fault(job: JobSpec) -> Fault | None:
    # A spec written in code has not been through the decoder: send it there.
    try:
        plain = to_builtins(job)
    except TypeError as error:
        return Fault("", str(error))
    try:
        to_job(plain)
    except msgspec.ValidationError as error:
        return translate(error)
    return None


def _text_faults(job: JobSpec) -> Iterator[Fault]:
    told = written(job)
    # Without case some letters that are no ASCII are like others that are.
    if told is not None and told.isascii() and not any(map(told.lower().__contains__, _SUSPECT)):
        return
    for place, leaf in leaves(job):
        if isinstance(leaf, SecretReference):
            problem = reference_problem(leaf)
            if problem:
                yield Fault(place, problem)
            continue
        if "\0" in leaf:
            yield Fault(place, "has a NUL character in it")
        if not leaf.isprintable() and any("\ud800" <= each <= "\udfff" for each in leaf):
            shown = leaf.encode("ascii", "backslashreplace").decode()
            yield Fault(place, f'"{shown}" is not Unicode text')
        if _RAW_SECRET.search(leaf):
            yield Fault(
                place,
                'a signature or key must not be written down; give the value as { secret = "env:NAME" }',
            )


def _job_id_faults(job: JobSpec) -> Iterator[Fault]:
    problem = id_problem(expand_run(job.id, SAMPLE_RUN_ID))
    if problem:
        yield Fault("id", problem)
    if not job.download_dir.strip():
        yield Fault("download_dir", "name a folder")


def _time_faults(job: JobSpec) -> Iterator[Fault]:
    times = {
        "timeout": job.timeout,
        "max_wall_clock_time": job.max_wall_clock_time,
        "pool.resize_timeout": job.pool.resize_timeout,
    }
    nothing = Duration.of(0)
    for place, value in times.items():
        if value is not None and value <= nothing:
            yield Fault(place, "must be longer than nothing")
    if job.max_wall_clock_time is not None and job.max_wall_clock_time < job.timeout:
        yield Fault(
            "max_wall_clock_time",
            f"{job.max_wall_clock_time} is shorter than timeout ({job.timeout}): "
            "the service would end the job while it is watched",
        )
