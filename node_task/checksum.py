"""MD5 as the storage service wants it: against errors of transport, not against people."""

from __future__ import annotations

import base64
import hashlib
import sys


class Checksum:
    """The size and the MD5 of what it has been fed."""

    def __init__(self) -> None:
        if sys.version_info >= (3, 9):
            # Said so that it also works on nodes whose policy (FIPS) forbids MD5 for security.
            self._md5 = hashlib.md5(usedforsecurity=False)
        else:
            self._md5 = hashlib.md5()  # noqa: S324 -- 3.8 has no way to say it
        self.size = 0

    def feed(self, data: bytes) -> None:
        """Adds bytes to the end.

        Args:
            data: The bytes.
        """
        self._md5.update(data)
        self.size += len(data)

    def content_md5(self) -> str:
        """The MD5 of everything so far.

        Returns:
            Base64 of the digest, as the Content-MD5 header has it.
        """
        return base64.b64encode(self._md5.digest()).decode("ascii")


def content_md5(data: bytes) -> str:
    """The MD5 of bytes.

    Args:
        data: The bytes.

    Returns:
        Base64 of the digest, as the Content-MD5 header has it.
    """
    checksum = Checksum()
    checksum.feed(data)
    return checksum.content_md5()
