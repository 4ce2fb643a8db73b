"""One PUT over HTTP, and what came of it."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime, timezone
from email.message import Message
from typing import Any, Iterable, Mapping, Optional, Union

from node_task.errors import reason
from node_task.retry import RETRIED_STATUSES, retry_after

# Headers of an answer are repeated in messages only where they look like what they should be.
_WORD = re.compile(r"[0-9A-Za-z_-]{1,100}")


@dataclass(frozen=True)
class Outcome:
    """What came of one attempt.

    Attributes:
        accepted: The server said yes.
        story: What happened, for a message; names no URL.
        worth_retrying: Whether the same request might succeed later.
        retry_after: How many seconds the server asked to wait, if it did.
    """

    accepted: bool
    story: str
    worth_retrying: bool
    retry_after: Optional[float] = None


def put(url: str, headers: Mapping[str, str], body: Iterable[bytes], timeout: float) -> Outcome:
    """Sends a PUT once. Redirections are not followed: the SAS in the URL is for one server only.

    Args:
        url: Where to.
        headers: All headers, Content-Length included.
        body: What to send, in pieces. What its iteration raises comes out here, unless it is an OSError.
        timeout: How many seconds a piece may take, or the answer.

    Returns:
        What came of it; an answer that refuses and a connection that breaks are outcomes like any other.
    """
    # Schemes are http and https only: Destination has seen to that.
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="PUT")  # noqa: S310
    try:
        with _OPENER.open(request, timeout=timeout) as answer:
            return Outcome(accepted=True, story=str(answer.status), worth_retrying=False)
    except urllib.error.HTTPError as error:
        with error:
            return _refusal(error.code, error.headers)
    except urllib.error.URLError as error:
        return _no_answer(error.reason)
    except (OSError, http.client.HTTPException) as error:
        return _no_answer(error)


def _refusal(status: int, headers: Message) -> Outcome:
    story = str(status)
    code = headers.get("x-ms-error-code", "")
    if _WORD.fullmatch(code):
        story += f" {code}"
    request_id = headers.get("x-ms-request-id", "")
    if _WORD.fullmatch(request_id):
        story += f" (request {request_id})"
    asked = retry_after(headers.get("Retry-After"), datetime.now(timezone.utc))
    return Outcome(accepted=False, story=story, worth_retrying=status in RETRIED_STATUSES, retry_after=asked)


def _no_answer(error: Union[str, BaseException]) -> Outcome:
    """The outcome without an answer. Texts of the http library are left out: they may repeat a URL."""
    if isinstance(error, ssl.SSLCertVerificationError):
        # Nothing that waiting could change.
        return Outcome(accepted=False, story=f"TLS: {error.verify_message}", worth_retrying=False)
    if isinstance(error, socket.timeout):
        story = "timed out"
    elif isinstance(error, OSError) and not isinstance(error, http.client.HTTPException):
        story = reason(error)
    else:
        story = "no valid answer" if isinstance(error, http.client.HTTPException) else "no connection"
    return Outcome(accepted=False, story=story, worth_retrying=True)


class _AnswersEarly(http.client.HTTPConnection):
    """A connection that still looks for an answer where the server stopped to listen half way.

    A server refuses a large body without reading it, and closes. Its answer, "the SAS has expired" perhaps,
    is worth more than the broken pipe that sending runs into.
    """

    def request(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().request(*args, **kwargs)
        except (BrokenPipeError, ConnectionResetError):
            if self.sock is None:
                raise


class _AnswersEarlyOverTLS(_AnswersEarly, http.client.HTTPSConnection):
    pass


class _Plain(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_AnswersEarly, req)


class _TLS(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_AnswersEarlyOverTLS, req)


# Proxies come from the environment, as everywhere in urllib.
_OPENER = urllib.request.build_opener(_Plain, _TLS)
