"""ScaiVault nodes on one PostgreSQL database, for tests: started, killed, asked.

    with scratch("x") as directory, Cluster() as primary:
        site = Site(directory, primary.make_application())
        with site.node("a") as a, site.node("b") as b:
            a.client().must(201, "PUT", "/v1/secrets/app/db", {"data": {"value": "x"}})

What the page and crash checks share (`tests/page/harness.py`) is used and handed on from here.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import pathlib
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "page")]
from cluster import Cluster, Missing, SqlError, eventually, psql, url_of  # noqa: E402
from cluster.programs import free_port  # noqa: E402
from harness import (  # noqa: E402
    START_SECONDS, Answer, Client, Server, Tally, binary, clean_environment, expect, expect_equal, expect_error, scratch,
)

__all__ = [
    "NO_ANSWER", "Answer", "Client", "Missing", "Node", "Site", "SqlError", "START_SECONDS", "Tally", "binary", "clean_environment",
    "eventually", "expect", "expect_equal", "expect_error", "percentiles", "psql", "running", "scratch", "skewed",
    "stand_in", "until", "url_of",
]

# What a client sees of a node that is gone or does not answer.
NO_ANSWER = (OSError, http.client.HTTPException)
# Webhooks go to receivers on this machine.
SETTINGS = {"RATE_LIMIT_ENABLED": "false", "LOG_LEVEL": "warn", "WEBHOOK_ALLOWED_CIDRS": "127.0.0.0/8", "KMS_PROVIDER": "env"}


class Site:
    """A database, its root key, and the first token; `node` makes the nodes that run on it."""

    def __init__(self, directory: pathlib.Path, address: str, **settings: str) -> None:
        self.directory = directory / f"site-{secrets.token_hex(4)}"
        self.directory.mkdir()
        self.address = address
        self.settings = SETTINGS | {"SCAIVAULT_ROOT_KEY": base64.b64encode(secrets.token_bytes(32)).decode()} | settings
        self.nodes: list[Node] = []

    @property
    def token(self) -> str:
        """The token of the first start, which may do everything."""
        return (self.directory / "token").read_text().strip()

    def node(self, name: str, *, address: str | None = None, **settings: object) -> Node:
        """A node, not started. `address`: another way to the same database, through a proxy for example."""
        known = self.settings | {"DATABASE_URL": address or self.address} | {name: str(value) for name, value in settings.items()}
        node = Node(self, name, known)
        self.nodes.append(node)
        return node

    def errors(self) -> list[str]:
        """Lines of all nodes' logs of the level ERROR."""
        return [line for node in self.nodes for line in node.lines() if '"level":"ERROR"' in line]


class Node(Server):
    """A node with a port of its own that it keeps over restarts."""

    def __init__(self, site: Site, name: str, settings: dict[str, str]) -> None:
        self.site, self.name = site, name
        self.port = free_port()
        self.before: list[str] = []
        data = site.directory / name
        listen = ["--listen", f"127.0.0.1:{self.port}"]
        super().__init__(data, command=[binary(), "server", "--data-dir", str(data), *listen], **settings)
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self, seconds: float = START_SECONDS) -> Node:
        # The first start makes the token, and refuses to write over a file.
        token = self.site.directory / "token"
        self.environment.pop("SCAIVAULT_INIT_TOKEN_FILE", None)
        if not token.exists():
            self.environment["SCAIVAULT_INIT_TOKEN_FILE"] = str(token)
        self.before += self.err
        super().start(seconds)
        return self

    def come_back(self, seconds: float = 30) -> Node:
        """Starts it until it stays, as a service manager does: a node whose database is away ends with a message."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.start()
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def lines(self) -> list[str]:
        """Its log, over all starts."""
        return [*self.before, *self.err]

    def refused(self, seconds: float = START_SECONDS) -> str:
        """Starts it and expects that it does not start: everything that it printed."""
        done = subprocess.run(self.command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)
        expect(done.returncode not in (0, 101), f"{self.name} should not start, and ended with {done.returncode}: {done.stderr}")
        expect("listening on" not in done.stdout, f"{self.name} should not start, and listened")
        return done.stdout + done.stderr

    def client(self, token: str | None = None, timeout: float = 30) -> Client:
        return Client(self.address, token or self.site.token, timeout)

    def status(self, target: str, timeout: float = 10) -> int:
        """The status of a call without a token; 0 when there was no answer."""
        with contextlib.suppress(*NO_ANSWER):
            return Client(self.address, timeout=timeout).call("GET", target).status
        return 0

    def wait_ready(self, seconds: float = 30) -> float:
        """Answers how long it took."""
        began = time.monotonic()
        eventually(f"{self.name} is ready", lambda: self.status("/v1/health/ready") == 200, seconds)
        return time.monotonic() - began


def skewed(seconds: int) -> dict[str, str]:
    """Settings under which a node takes the time of day to be so much later. Its steady clock stays: nobody sets that."""
    found = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise Missing("faketime is not installed: run scripts/need-tools")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": f"{seconds:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1"}


def stand_in(primary: Cluster, name: str, port: int) -> Cluster:
    """A synchronous standby of `primary` on a port that another one had: so that one address for both holds over many failovers."""
    standby = primary.make_standby(name, synchronous=False)
    standby.stop()
    standby.port = port
    standby.start()
    eventually(f"{name} follows", lambda: primary.sync_state(name) is not None)
    primary.configure(synchronous_standby_names=f'FIRST 1 ("{name}")')
    eventually(f"{name} is synchronous", lambda: primary.sync_state(name) == "sync")
    return standby


def percentiles(seconds: list[float]) -> str:
    """p50, p99 and the largest, in milliseconds."""
    ordered = sorted(seconds)
    if not ordered:
        return "none"
    picked = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99)] + [ordered[-1]]
    return "p50 {:.0f} ms, p99 {:.0f} ms, max {:.0f} ms".format(*(each * 1000 for each in picked)) + f" (n={len(ordered)})"


@contextlib.contextmanager
def running(nodes: list[Node]) -> Iterator[None]:
    """Starts nodes and ends them, whatever happens in between."""
    try:
        for node in nodes:
            node.start()
        yield
    finally:
        for node in nodes:
            if node.process is not None and node.process.poll() is None:
                node.kill()


def until(condition: Callable[[], bool], seconds: float, pause: float = 0.01) -> float | None:
    """How long it took until it was so; None when it was not within `seconds`."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if condition():
            return time.monotonic() - began
        time.sleep(pause)
    return None
