"""Where outputs go: a container, the right to write to it, and this task's folder in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Mapping
from urllib.parse import quote, urlencode, urlsplit

from node_task.errors import UsageError

# Anything else in a URL is a mistake, and http.client would repeat it in its complaint, SAS included.
_PRINTABLE_ASCII = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Destination:
    """A folder of blobs in a container.

    Attributes:
        container_url: The container's URL without a query; safe to show.
        sas: The shared access signature: the query that grants the right to write. Never shown.
        prefix: The folder of this task, normally the task's id; no slash at either end, not empty.
    """

    container_url: str
    sas: str = field(repr=False)
    prefix: str

    @classmethod
    def parse(cls, url: str, prefix: str) -> Destination:
        """Takes a container's URL apart.

        Args:
            url: ``https://ACCOUNT.blob.core.windows.net/CONTAINER?SAS``, or the like elsewhere.
            prefix: The folder for this task; slashes at its ends don't count.

        Returns:
            The destination.

        Raises:
            UsageError: The URL is none, or the prefix is no name. The message does not repeat the URL.
        """
        folder = prefix.strip("/")
        if not folder or not _is_unicode(folder):
            raise UsageError(
                f"{prefix!r} is no folder for outputs: set ORCHESTRATOR_OUTPUT_PREFIX or AZ_BATCH_TASK_ID"
            )
        if not _is_container_url(url):
            raise UsageError(
                "ORCHESTRATOR_OUTPUT_URL is not the URL of a container (https://HOST/CONTAINER?SAS)"
            )
        address, _, sas = url.partition("?")
        return cls(container_url=address.rstrip("/"), sas=sas, prefix=folder)

    def shown(self, path: str) -> str:
        """The URL of a blob as messages show it.

        Args:
            path: The output's path below the task's folder.

        Returns:
            The URL without the SAS.
        """
        return f"{self.container_url}/{quote(f'{self.prefix}/{path}')}"

    def signed(self, path: str, query: Mapping[str, str]) -> str:
        """The URL of a request that writes a blob.

        Args:
            path: The output's path below the task's folder.
            query: The parameters of the operation, such as ``{"comp": "block", "blockid": …}``.

        Returns:
            The URL with the SAS. Not for messages.
        """
        parameters = "&".join(part for part in (urlencode(query), self.sas) if part)
        return f"{self.shown(path)}?{parameters}" if parameters else self.shown(path)


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_container_url(url: str) -> bool:
    if not _PRINTABLE_ASCII.fullmatch(url) or "#" in url:
        return False
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna")
        port = parts.port
    except ValueError:  # no number, unbalanced brackets, a label of more than 63 letters
        return False
    web = parts.scheme in ("http", "https")
    return web and bool(host) and port != 0 and "@" not in parts.netloc and bool(parts.path.strip("/"))
