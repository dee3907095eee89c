"""Enough of PostgreSQL's protocol to see a `COMMIT` go by on a connection without TLS."""

import struct
from collections.abc import Iterator

# Requests before the first real message: their code stands where that has its protocol version.
CANCEL, TLS, GSS = 80877102, 80877103, 80877104
# The server's answer to a COMMIT, and "ready for the next query", which follows every answer, also an error.
COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
READY = b"Z\x00\x00\x00\x05"


class Messages:
    """What a client sends, cut into whole messages.

    `readable` turns false when the client speaks TLS: from then on everything passes in the pieces in which it came.
    """

    def __init__(self) -> None:
        self.readable = True
        self._held = b""
        self._started = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are whole now, oldest first."""
        self._held += data
        while self._held:
            if not self.readable or self._held[0] == 0x16 and not self._started:
                self.readable = False
                message, self._held = self._held, b""
                yield message
                return
            # The first messages have a length only, all others a letter before it.
            letter = 1 if self._started else 0
            if len(self._held) < letter + 4:
                return
            (length,) = struct.unpack_from("!I", self._held, letter)
            if len(self._held) < letter + length:
                return
            message, self._held = self._held[: letter + length], self._held[letter + length :]
            if not self._started:
                (code,) = struct.unpack_from("!I", message, 4)
                self._started = code not in (CANCEL, TLS, GSS)
            yield message


def query(message: bytes) -> bytes | None:
    """The text of a simple query; None for another message."""
    return message[5:].rstrip(b"\0").strip() if message[:1] == b"Q" else None


def is_commit(message: bytes) -> bool:
    """Whether a message is a simple query that begins with COMMIT."""
    text = query(message)
    return text is not None and text[:6].upper() == b"COMMIT"


def is_answered(data: bytes) -> bool:
    """Whether what a server sent holds the whole answer to a query."""
    return COMMITTED in data or READY in data
