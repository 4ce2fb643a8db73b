"""What an attempt does in a thread: its resource files before the command, its output files after it.

Imported with the first transfer of a node: HTTP and TLS take 35 ms and 9 MiB, which most nodes never need.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from . import failures, folders, output_files, resource_files
from .attempt import Attempt
from .failures import Failure, NodeFailure, Trouble
from .transfer import Channel, TransferCancelled
from .users import acting_as


def prepare(attempt: Attempt, channel: Channel) -> Failure | None:
    """Make the task's folder and bring its resource files; closes the channel.

    Args:
        attempt: that begins.
        channel: its own.

    Returns:
        What went wrong, None if all is there or somebody broke it off.
    """
    failure = folders.try_make_task(attempt.directory, attempt.user, readable=attempt.readable)
    if failure is None:
        with acting_as(attempt.user), contextlib.suppress(TransferCancelled), contextlib.closing(channel):
            try:
                resource_files.download_all(attempt.resource_files, attempt.directory / "wd", channel)
            except NodeFailure as refused:
                failure = refused.failure
            except Exception as error:  # border of a thread: the attempt must end whatever happens
                traceback.print_exc()
                failure = failures.download_failure(Trouble.OTHER, {"Message": type(error).__name__})
    return failure


def upload(wanted: Sequence[Mapping[str, Any]], attempt: Attempt, channel: Channel) -> Failure | None:
    """Upload output files; closes the channel.

    Args:
        wanted: those whose condition holds.
        attempt: whose command is over.
        channel: its own.

    Returns:
        The first thing that went wrong, None if all went well or somebody broke it off.
    """
    with acting_as(attempt.user), contextlib.suppress(TransferCancelled), contextlib.closing(channel):
        try:
            return output_files.upload_all(wanted, attempt.directory, attempt.environment, channel)
        except NodeFailure as refused:
            return refused.failure
        except Exception as error:  # as above
            traceback.print_exc()
            return failures.upload_failure(Trouble.OTHER, {"Message": type(error).__name__})
    return None
