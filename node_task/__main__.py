"""The command line: ``python3 node_task.pyz topwords FILE --numwords N``.

Exit codes: 0 done, 1 the input could not be read or the output not written, 2 the command line or the
environment is wrong (nothing was done), 3 the output could not be uploaded (it is on the node). One line on
stderr says why.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from pathlib import Path
from typing import Callable, Optional, Sequence, TextIO

from node_task import environment, output, text, topwords
from node_task.errors import ExitCode, NodeTaskError

_TOPWORDS = """Counts the words of FILE and writes the most frequent ones to NAME_OUTPUT.EXT beside it. Where
the environment has ORCHESTRATOR_OUTPUT_URL (a container's URL with a SAS), the output is uploaded to
ORCHESTRATOR_OUTPUT_PREFIX/PATH, and a manifest.json after it."""
_UPLOAD_TIMEOUT = 1800.0


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the program.

    Args:
        arguments: The command line without the program's name; by default that of the process.

    Returns:
        The exit code.

    Raises:
        SystemExit: argparse has had its say: with 2 about a wrong command line, with 0 after ``--help``.
    """
    options = _parser().parse_args(arguments)
    try:
        _top_words(options)
    except NodeTaskError as error:
        _tell(sys.stderr, f"node_task: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        _tell(sys.stderr, "node_task: interrupted")
        return ExitCode.INTERRUPTED
    return ExitCode.DONE


def _top_words(options: argparse.Namespace) -> None:
    source: Path = options.file
    result = output.output_path(source)
    directory = Path.cwd()
    upload = _upload_of(result, directory, options.upload_timeout)

    counts = topwords.count(text.decoded(text.pieces_of(source)), casefold=options.casefold)
    time.sleep(options.delay)
    top = topwords.top(counts, options.numwords)
    output.write(result, output.render(top, environment.batch_ids(os.environ)))
    _tell(sys.stdout, f"wrote {str(result)!r}: {sum(counts.values())} words, {len(counts)} different")
    upload()


def _upload_of(result: Path, directory: Path, timeout: float) -> Callable[[], None]:
    """Prepares the upload: before the work, not after hours of it, a wrong command is told."""
    destination = environment.output_destination(os.environ)
    if destination is None:
        return lambda: None
    # Most tasks leave the upload to the service, and what it takes would be most of their start.
    from node_task import delivery, manifest  # noqa: PLC0415
    from node_task.retry import Patience  # noqa: PLC0415
    from node_task.upload import Uploader  # noqa: PLC0415

    manifest.manifest_path(result, directory)

    def upload() -> None:
        uploader = Uploader(destination, Patience(total=timeout))  # its time begins with it
        for file in delivery.deliver([result], directory, uploader):
            _tell(sys.stdout, f"uploaded {destination.shown(file.path)}: {file.size} bytes")

    return upload


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="node_task", description="What runs on a compute node.", allow_abbrev=False
    )
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)
    command = commands.add_parser(
        "topwords",
        help="count the words of a text and write the most frequent ones",
        description=_TOPWORDS,
        epilog="Exit codes: 0 done, 1 failed, 2 wrong command line or environment, 3 the upload failed.",
        allow_abbrev=False,
    )
    add = command.add_argument
    add("file", metavar="FILE", type=Path, help="the text, in UTF-8; ./-x for a name that begins with a dash")
    add("--numwords", metavar="N", type=_positive, required=True, help="how many words to write")
    add("--casefold", action="store_true", help="count words that differ in case only as one")
    add("--delay", metavar="SECONDS", type=_seconds, default=0.0, help="work that much longer (default: 0)")
    add(
        "--upload-timeout",
        metavar="SECONDS",
        type=_seconds,
        default=_UPLOAD_TIMEOUT,
        help="how long to try to upload, in all (default: %(default)g)",
    )
    return parser


def _positive(value: str) -> int:
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is not a positive number")
    return number


def _seconds(value: str) -> float:
    number = float(value)
    if not (math.isfinite(number) and number >= 0):
        raise argparse.ArgumentTypeError(f"{value!r} is not a number of seconds")
    return number


def _tell(stream: TextIO, line: str) -> None:
    """Writes a line, whatever the letters in it and the encoding of the stream."""
    encoding = stream.encoding or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")


if __name__ == "__main__":
    sys.exit(main())
