"""What is wanted: pure, frozen values without I/O, read from job files or written in code."""

from __future__ import annotations

from orchestrator.spec.check import check_job, job_faults
from orchestrator.spec.command import expand_commands, planned_command, wrap_in_shell
from orchestrator.spec.convert import decode_job, encode_job
from orchestrator.spec.duration import Duration
from orchestrator.spec.files import KeepLogs, OutputFile, ResourceFile, UploadBy, UploadCondition
from orchestrator.spec.frozen import FrozenMapping
from orchestrator.spec.ids import (
    application_container,
    check_run_id,
    expand_id,
    expand_run,
    id_problem,
    input_container,
    new_run_id,
    output_container,
)
from orchestrator.spec.job import (
    ApplicationSpec,
    CleanupSpec,
    CleanupWhen,
    JobHookSpec,
    JobSpec,
    RetriesSpec,
)
from orchestrator.spec.load import load_job, parse_job
from orchestrator.spec.plan import plan_checked, plan_run
from orchestrator.spec.planned import InputFile, PlannedTask, RunPlan, TaskInput
from orchestrator.spec.pool import ImageSpec, PoolSpec, StartTaskSpec
from orchestrator.spec.resolve import resolve
from orchestrator.spec.schema import job_schema
from orchestrator.spec.secret import Environment, SecretReference, SecretText
from orchestrator.spec.task import TaskFactory, TaskSettings, TaskSpec

__all__ = [
    "ApplicationSpec",
    "CleanupSpec",
    "CleanupWhen",
    "Duration",
    "Environment",
    "FrozenMapping",
    "ImageSpec",
    "InputFile",
    "JobHookSpec",
    "JobSpec",
    "KeepLogs",
    "OutputFile",
    "PlannedTask",
    "PoolSpec",
    "ResourceFile",
    "RetriesSpec",
    "RunPlan",
    "SecretReference",
    "SecretText",
    "StartTaskSpec",
    "TaskFactory",
    "TaskInput",
    "TaskSettings",
    "TaskSpec",
    "UploadBy",
    "UploadCondition",
    "application_container",
    "check_job",
    "check_run_id",
    "decode_job",
    "encode_job",
    "expand_commands",
    "expand_id",
    "expand_run",
    "id_problem",
    "input_container",
    "job_faults",
    "job_schema",
    "load_job",
    "new_run_id",
    "output_container",
    "parse_job",
    "plan_checked",
    "plan_run",
    "planned_command",
    "resolve",
    "wrap_in_shell",
]
