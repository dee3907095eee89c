"""A TCP proxy in front of a server, which makes the network as bad as a test wants it.

    with Proxy(cluster.port) as proxy:
        address = cluster.url("scaivault", "scaivault", port=proxy.port)
        proxy.delay(to_server=0.5, to_client=0.5)
        proxy.black_hole(); ...; proxy.heal()
        cut = proxy.cut_at_commit()
"""

from __future__ import annotations

import collections
import contextlib
import enum
import select
import socket
import struct
import threading
import time

from .programs import free_port
from .protocol import Messages, is_answered, is_commit

# As much as may wait on its way before the sender is slowed.
IN_FLIGHT = 4 << 20
# How often a thread looks whether something changed.
TICK = 0.02


class Cut(enum.Enum):
    """Where a connection is cut at a COMMIT."""

    ANSWER_LOST = "the server has committed and said so, and the client never hears it"
    AT_ONCE = "the server has the COMMIT, and nobody waits for what it says"
    NOT_SENT = "the server never sees the COMMIT"


class CommitCut:
    """An armed cut: every COMMIT from the `first` on, `times` times, counted over all connections."""

    def __init__(self, where: Cut, first: int, times: int) -> None:
        self.where = where
        self.seen = 0
        self.done = 0
        self._range = range(first, first + times)
        self._lock = threading.Lock()
        self._happened = threading.Condition(self._lock)

    def hits(self) -> bool:
        """A COMMIT comes by: whether it is one of those."""
        with self._lock:
            self.seen += 1
            return self.seen in self._range

    def count(self) -> None:
        with self._lock:
            self.done += 1
            self._happened.notify_all()

    def wait(self, seconds: float = 20, times: int = 1) -> None:
        """Until it has happened so often. Raises `AssertionError`."""
        with self._lock:
            if not self._happened.wait_for(lambda: self.done >= times, seconds):
                raise AssertionError(f"no connection was cut at a COMMIT within {seconds:g} s; {self.seen} went by")


def _reset(*connections: socket.socket | None) -> None:
    """Ends connections the hard way: the other side gets a reset."""
    for connection in connections:
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.shutdown(socket.SHUT_RD)
            connection.close()


class _Connection:
    """A client and its connection to the server; one thread for each direction."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self.proxy = proxy
        self.client = client
        self.server: socket.socket | None = None
        self.over = threading.Event()
        self.messages = Messages()
        # A COMMIT is out and its answer must not pass: what the server said since.
        self.swallowing = threading.Event()
        self.answered = threading.Event()
        self.swallowed = b""
        self._out = threading.Lock()

    def run(self) -> None:
        """The direction to the server; begins the other once there is a connection."""
        try:
            if not self._wait_for_way():
                return
            self.server = socket.create_connection(("127.0.0.1", self.proxy.server_port), 10)
            for each in (self.client, self.server):
                each.settimeout(None)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=self._back, daemon=True)
            back.start()
            self._pump(self.client, self.server, to_server=True)
            back.join(30)
        except (OSError, ValueError):
            # One side is gone, or `cut` closed both under this thread.
            pass
        finally:
            self.cut()

    def _back(self) -> None:
        assert self.server is not None
        with contextlib.suppress(OSError, ValueError):
            self._pump(self.server, self.client, to_server=False)

    def _wait_for_way(self) -> bool:
        """Waits while nothing passes; False when the connection is over."""
        while not self.over.is_set():
            if not self.proxy.holds:
                return True
            time.sleep(TICK)
        return False

    def _pump(self, source: socket.socket, target: socket.socket, to_server: bool) -> None:
        """Passes on what comes, each piece when its delay is over, until one side ends."""
        waiting: collections.deque[tuple[float, bytes]] = collections.deque()
        size, ended = 0, False
        while self._wait_for_way():
            now = time.monotonic()
            while waiting and waiting[0][0] <= now and not self.proxy.holds:
                data = waiting.popleft()[1]
                size -= len(data)
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                self._pass_on(data, target, to_server)
                if self.over.is_set():
                    return
            soon = max(0.0, waiting[0][0] - now) if waiting else TICK
            if ended or size > IN_FLIGHT:
                time.sleep(min(soon, TICK))
                continue
            if not select.select([source], [], [], min(soon, TICK))[0]:
                continue
            if self.proxy.holds:
                continue
            data = source.recv(1 << 16)
            ended = not data
            size += len(data)
            waiting.append((time.monotonic() + self.proxy.delays[to_server], data))

    def _pass_on(self, data: bytes, target: socket.socket, to_server: bool) -> None:
        if to_server:
            for message in self.messages.feed(data):
                self._to_server(message, target)
                if self.over.is_set():
                    return
        else:
            # Looked at and sent in one step: an answer to a COMMIT can't pass between the two.
            with self._out:
                if not self.swallowing.is_set():
                    target.sendall(data)
                    return
            self.swallowed += data
            if is_answered(self.swallowed):
                self.answered.set()

    def _to_server(self, message: bytes, target: socket.socket) -> None:
        armed = self.proxy.armed
        if armed is None or not self.messages.readable or not is_commit(message) or not armed.hits():
            target.sendall(message)
            return
        if armed.where is not Cut.NOT_SENT:
            with self._out:
                self.swallowing.set()
            target.sendall(message)
            if armed.where is Cut.ANSWER_LOST:
                # The server's end, too, is an answer: then it could not commit.
                while not self.answered.wait(TICK) and not self.over.is_set():
                    pass
            else:
                # An end rather than a reset: a reset could take the COMMIT along before the server has read it.
                target.shutdown(socket.SHUT_WR)
        _reset(self.client)
        armed.count()
        if armed.where is Cut.AT_ONCE:
            self.over.wait(30)
        self.cut()

    def cut(self) -> None:
        """Resets both sides, now."""
        self.over.set()
        self.answered.set()
        _reset(self.client, self.server)
        self.proxy._gone(self)


class Proxy:
    """Listens on `port` of 127.0.0.1 from `__enter__` to `__exit__` and passes everything on to `server_port`.

    `server_port` may be changed at any time, as an address that moves with a failover: it holds for new connections.
    """

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.port = free_port()
        self.delays = {True: 0.0, False: 0.0}
        self.holds = False
        self.armed: CommitCut | None = None
        self.accepted = 0
        self._connections: set[_Connection] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None

    def __enter__(self) -> Proxy:
        self.accept()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self.cut()

    def refuse(self) -> None:
        """New connections are refused; those there are go on."""
        listener, self._listener = self._listener, None
        if listener is not None and self._acceptor is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            self._acceptor.join(10)
            listener.close()

    def accept(self) -> None:
        """New connections are taken again."""
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
            self._acceptor = threading.Thread(target=self._listen, args=(self._listener,), daemon=True)
            self._acceptor.start()

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            connection = _Connection(self, client)
            with self._lock:
                self.accepted += 1
                self._connections.add(connection)
            threading.Thread(target=connection.run, daemon=True).start()

    def _gone(self, connection: _Connection) -> None:
        with self._lock:
            self._connections.discard(connection)

    @property
    def connections(self) -> int:
        """How many are open."""
        with self._lock:
            return len(self._connections)

    def cut(self) -> None:
        """Resets all connections now; new ones are taken as before."""
        with self._lock:
            now = list(self._connections)
        for connection in now:
            connection.cut()

    def delay(self, to_server: float = 0.0, to_client: float = 0.0) -> None:
        """Every piece arrives so many seconds later; throughput stays. Holds for what comes from now on."""
        self.delays = {True: to_server, False: to_client}

    def black_hole(self) -> None:
        """Connections are taken and nothing passes, in either direction, on old ones either, until `heal`."""
        self.holds = True

    def heal(self) -> None:
        """No delay, nothing held back, new connections taken, no cut armed. What was held back arrives, as TCP would have it."""
        self.delay()
        self.armed = None
        self.holds = False
        self.accept()

    def cut_at_commit(self, where: Cut = Cut.ANSWER_LOST, nth: int = 1, times: int = 1) -> CommitCut:
        """Cuts the connection at the `nth` COMMIT from now (a simple query that begins so, over all connections; `times` in a row).

        Only on connections without TLS (`sslmode=disable`): others pass unread. One cut is armed at a time.
        """
        self.armed = CommitCut(where, nth, times)
        return self.armed
