"""One request to the Batch service, from its words to the bytes of its answer.

Everything goes through the SDK client's own pipeline (`send_request`), which signs, traces and logs; what is
ours is in this one place: the API version, the quoting, retries, time limits, and the mapping of errors. The
SDK's models are left aside: they cost ten times the CPU of the bytes, insist on options that the service does
not need (`begin_terminate_job`), and their pollers call a failed look a success (recorded).
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import anyio
import msgspec

from orchestrator.accounts.failures import Answer, Failure, error_of, observe
from orchestrator.accounts.rate import RequestRate
from orchestrator.accounts.retry import Tries, persist
from orchestrator.errors import ServiceError
from orchestrator.limits import Limits

if TYPE_CHECKING:
    from azure.batch.aio import BatchClient
    from azure.core.rest import AsyncHttpResponse

API_VERSION: Final = "2025-06-01"
_JSON: Final = "application/json; odata=minimalmetadata"
# The characters that the transport sends bare in a path even when they come quoted. The SDK quotes them, and
# so signs another path than it sends; quoting what stays quoted keeps both the same. Not so with a semicolon,
# after which its signing policy stops reading: a segment with one is quoted whole, as the SDK does it.
_BARE_IN_PATH: Final = "!$&'()*,:=@"

T = TypeVar("T")


class BatchPipeline:
    """Sends requests to one Batch account.

    Args:
        client: the SDK's, with its own retries switched off.
        endpoint: of the account.
        limits: `operation_timeout`, `attempts`, the pauses and `requests_per_second` count.
        rng: for the jitter of the pauses.

    Attributes:
        rate: of the requests, tries included; it knows how many there were.
    """

    def __init__(
        self, client: BatchClient, *, endpoint: str, limits: Limits, rng: random.Random | None = None
    ) -> None:
        self._client = client
        self._endpoint = endpoint.rstrip("/")
        self._origin = "{0.scheme}://{0.netloc}".format(urlsplit(endpoint))
        self._rng = rng or random.Random()  # noqa: S311 - jitter, no secret
        self.limits = limits
        self.rate = RequestRate(limits.requests_per_second)

    async def call(
        self,
        operation: str,
        method: str,
        path: Sequence[str],
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        tries: Tries | None = None,
        if_match: str | None = None,
    ) -> bytes:
        """Send a request, again where that may help, and read its answer.

        Args:
            operation: for errors and logs, such as `get pool small`.
            method: upper case.
            path: its segments, unquoted.
            query: names and unquoted values, without `api-version`.
            body: JSON.
            tries: filled with the story of the tries.
            if_match: the ETag that the thing must have; with None it may have any.

        Returns:
            The body of the answer.

        Raises:
            ServiceError: the service refused.
            UnreachableError: no answer came.
        """
        headers = {} if if_match is None else {"If-Match": if_match}
        url = self._url(path, query)
        return await self._send(operation, method, url, body=body, tries=tries, headers=headers)

    async def pages(
        self,
        operation: str,
        path: Sequence[str],
        read: Callable[[bytes], tuple[T, str | None]],
        *,
        query: Mapping[str, str] | None = None,
        slots: AbstractAsyncContextManager[object] | None = None,
    ) -> AsyncGenerator[T, None]:
        """Follow a list from page to page. A page may be short or empty: only a missing link ends the list.

        Args:
            operation: for errors and logs.
            path: its segments, unquoted.
            read: reads a page and its link.
            query: of the first page; the links carry it on.
            slots: entered for each page's request, where not all may be under way at once.

        Yields:
            What `read` made of each page.

        Raises:
            ServiceError: the service refused, or answered what is no page.
            UnreachableError: no answer came.
        """
        url: str | None = self._url(path, query)
        while url is not None:
            async with slots or nullcontext():
                answer = await self._send(operation, "GET", url)
            items, link = self.read(operation, read, answer)
            url = self._follow(link) if link else None
            yield items

    async def stream(
        self, operation: str, path: Sequence[str], *, limit: int, offset: int = 0
    ) -> AsyncGenerator[bytes, None]:
        """Read a file of the service in pieces. An answer that is cut is an error: read the file anew.

        Args:
            operation: for errors and logs.
            path: its segments, unquoted.
            limit: bytes after which reading ends, whatever the file has.
            offset: bytes to leave out at the beginning; more than the file has are refused with 416.

        Yields:
            Pieces.

        Raises:
            ServiceError: the service refused.
            UnreachableError: no answer came, or not all of it.
        """
        tries = Tries()
        url = self._url(path, None)
        headers = {"ocp-range": f"bytes={offset}-"} if offset else {}
        response = await persist(
            operation,
            lambda: self._open("GET", url, None, headers),
            limits=self.limits,
            rng=self._rng,
            tries=tries,
            turn=self.rate.turn,
        )
        left = limit
        try:
            async with aclosing(_chunks(response)) as chunks:
                while left > 0:
                    piece = await self._next(operation, chunks, tries)
                    if piece is None:
                        return
                    yield piece[:left]
                    left -= len(piece)
        finally:
            # Shielded: a cancelled reader must still give its connection back.
            with anyio.CancelScope(shield=True):
                await response.close()

    def read(self, operation: str, read: Callable[[bytes], T], body: bytes) -> T:
        """Read an answer.

        Args:
            operation: for errors and logs.
            read: makes something of the body.
            body: of the answer.

        Returns:
            What `read` made of it.

        Raises:
            ServiceError: the answer is not what the API describes.
        """
        try:
            return read(body)
        except msgspec.MsgspecError as unreadable:
            raise ServiceError(
                f"the answer is not what the API describes: {unreadable}",
                operation=operation,
                status=None,
                code=None,
            ) from unreadable

    async def _send(
        self,
        operation: str,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        tries: Tries | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        async def once() -> bytes:
            return await (await self._open(method, url, body, headers)).read()

        tries = tries if tries is not None else Tries()
        try:
            return await persist(
                operation, once, limits=self.limits, rng=self._rng, tries=tries, turn=self.rate.turn
            )
        finally:
            self.rate.repeated += max(tries.count - 1, 0)
            self.rate.put_off += tries.put_off

    async def _open(
        self, method: str, url: str, body: bytes | None = None, more: Mapping[str, str] | None = None
    ) -> AsyncHttpResponse:
        from azure.core.rest import HttpRequest  # noqa: PLC0415 - the SDK is loaded when the account is opened

        headers = {"Accept": "application/json", **(more or {})}
        if body is not None:
            headers["Content-Type"] = _JSON
        request = HttpRequest(method, url, headers=headers, content=body)
        # Streamed, or the pipeline parses the JSON that is to be parsed by us.
        return await self._client.send_request(request, stream=True)

    async def _next(self, operation: str, chunks: AsyncIterator[bytes], tries: Tries) -> bytes | None:
        limit = self.limits.operation_timeout
        failure = Failure(answer=Answer.LOST, message=f"nothing came for {limit:g} s")
        cause: Exception | None = None
        # Not around the loop that yields: a scope that its generator leaves open breaks its caller's scopes.
        with anyio.move_on_after(limit):
            try:
                return await anext(chunks, None)
            except Exception as error:
                observed = await observe(error)
                if observed is None:
                    raise
                failure, cause = observed, error
        raise error_of(failure, operation=operation, attempts=tries.count) from cause

    def _url(self, path: Sequence[str], query: Mapping[str, str] | None) -> str:
        told = {"api-version": API_VERSION, **(query or {})}
        segments = "/".join(quote(segment, safe="" if ";" in segment else _BARE_IN_PATH) for segment in path)
        return f"{self._endpoint}/{segments}?" + "&".join(
            f"{name}={quote(value, safe='')}" for name, value in told.items()
        )

    def _follow(self, link: str) -> str:
        # The link's host is what the service believes to be called; ours is where the credential may go.
        parts = urlsplit(link)
        query = parts.query
        if "api-version=" not in query:
            query = f"api-version={API_VERSION}&{query}" if query else f"api-version={API_VERSION}"
        return f"{self._origin}{parts.path}?{query}"


async def _chunks(response: Any) -> AsyncGenerator[bytes, None]:
    async for piece in response.iter_bytes():
        yield piece
