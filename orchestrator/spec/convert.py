"""Specs from plain values and back: what msgspec does not know of our own types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_origin

import msgspec

from orchestrator.spec.duration import Duration
from orchestrator.spec.frozen import FrozenMapping, decode_mapping
from orchestrator.spec.job import JobSpec
from orchestrator.spec.secret import SecretReference


def to_job(plain: Mapping[str, Any]) -> JobSpec:
    """A job from plain values, its types checked and nothing else.

    Raises:
        msgspec.ValidationError: a type is wrong, a key unknown or missing.
    """
    return msgspec.convert(plain, JobSpec, dec_hook=_decode)


def to_builtins(job: JobSpec) -> Any:
    """The plain values of a job.

    Raises:
        TypeError: it holds a value that no job file can.
    """
    return msgspec.to_builtins(job, enc_hook=_encode)


def encode_job(job: JobSpec) -> bytes:
    """A job as JSON, for keeping; secrets stay references."""
    return msgspec.json.encode(job, enc_hook=_encode)


def decode_job(data: bytes) -> JobSpec:
    """The job that `encode_job` wrote.

    Raises:
        msgspec.DecodeError: the data is none of its writing.
    """
    return _JOB.decode(data)


def _decode(wanted: Any, value: Any) -> Any:
    if wanted is Duration:
        if not isinstance(value, str):
            raise TypeError("a length of time is text with a unit, such as 20m, 1h30m or PT20M")
        return Duration(value)
    if wanted is FrozenMapping or get_origin(wanted) is FrozenMapping:
        return decode_mapping(wanted, value)
    raise NotImplementedError(f"no way to make a {wanted}")


def _encode(value: object) -> Any:
    if isinstance(value, FrozenMapping):
        return value.plain()
    if isinstance(value, Duration):
        return value.iso
    raise TypeError(f"a {type(value).__name__} can't stand in a job file")


# Here, while the module is imported, and not at the first job: msgspec works out the types of a struct's
# fields when it first decodes one, and several threads that come to that at once crash the process (0.22).
# What mappings hold is converted apart from the job (`decode_mapping`).
_JOB = msgspec.json.Decoder(JobSpec, dec_hook=_decode)
_SECRET = msgspec.json.Decoder(SecretReference)
