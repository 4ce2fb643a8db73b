"""A run's result as JSON, for keeping and for clients."""

from __future__ import annotations

from pathlib import Path

import msgspec

from orchestrator.results import JobResult


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"a result holds a {type(value).__name__}")


def _rich(kind: type, value: object) -> object:
    if issubclass(kind, Path):
        return Path(str(value))
    raise NotImplementedError(f"a result holds a {kind.__name__}")


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)
_DECODER = msgspec.json.Decoder(JobResult, dec_hook=_rich)


def encode_result(result: JobResult) -> bytes:
    """The result as JSON."""
    return _ENCODER.encode(result)


def decode_result(data: bytes) -> JobResult:
    """The result that `encode_result` wrote.

    Raises:
        msgspec.MsgspecError: the data is none of its writing.
    """
    return _DECODER.decode(data)
