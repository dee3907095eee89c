"""Counts what nodes acknowledged and disclosed, and compares it with what is there.

Clients note every answer here. Whatever is said while they work and must not be said, such as a value that another node had
already replaced, is a complaint. In the end `compare` reads everything that is stored:
- every acknowledged version is there with its value; versions are 1 to n, without a gap, and no value is there twice, whether its
  write was acknowledged or not;
- every acknowledged write and every disclosed read has exactly one audit entry, by the answer's X-Request-ID;
- every stored version has exactly one entry of a write, and every such entry its version; the chains are whole.
"""

from __future__ import annotations

import collections
import random
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from servers import NO_ANSWER, Client, Node, expect, expect_equal

# The highest cap there is, and no path comes near it: a version that was pruned could not be told from one that was lost.
MAX_VERSIONS = 100
# After this time a write on one node is seen on all others (contract 02 section 1; issue: read-your-writes across nodes).
ACROSS_SECONDS = 1.0


class Ledger:
    """What clients sent and what they were answered. Times are those of `time.monotonic`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sent: dict[str, set[str]] = collections.defaultdict(set)
        self.known: dict[str, dict[int, str]] = collections.defaultdict(dict)
        self.acknowledged: dict[str, list[tuple[float, int, str]]] = collections.defaultdict(list)
        self.requests: dict[str, tuple[str, str, int]] = {}
        self.successes: list[tuple[float, str, str]] = []  # when it was answered, node, write or read
        self.slowest_failure: dict[str, float] = collections.defaultdict(float)
        self.total: collections.Counter[str] = collections.Counter()
        self.failures: collections.Counter[str] = collections.Counter()
        self.samples: dict[str, str] = {}  # one of each kind of failure
        self.complaints: list[str] = []

    def complain(self, text: str) -> None:
        with self.lock:
            self.complaints.append(text)

    def sending(self, path: str, value: str) -> bool:
        """False: the path has had enough."""
        with self.lock:
            if len(self.sent[path]) >= MAX_VERSIONS - 5:
                return False
            self.sent[path].add(value)
            return True

    def floor(self, path: str, node: str, latest: bool) -> int:
        """The oldest version that a read which begins now on this node may disclose."""
        now = time.monotonic()
        with self.lock:
            return max((
                version for at, version, writer in self.acknowledged[path]
                if writer == node or latest or at <= now - ACROSS_SECONDS
            ), default=0)

    def answered(self, action: str, path: str, version: int, value: str, request: str, node: str) -> None:
        now = time.monotonic()
        with self.lock:
            if self.known[path].setdefault(version, value) != value:
                self.complaints.append(f"{path} version {version} was answered with two values")
            if value not in self.sent[path]:
                self.complaints.append(f"{path} version {version} holds what nobody sent")
            if request in self.requests:
                self.complaints.append(f"the request id {request} was given out twice")
            self.requests[request] = (action, path, version)
            if action == "write":
                self.acknowledged[path].append((now, version, node))
            self.total[action] += 1
            self.successes.append((now, node, action))

    def failed(self, what: str, began: float, sample: str = "") -> None:
        took = time.monotonic() - began
        with self.lock:
            self.samples.setdefault(what, sample)
            self.failures[what] += 1
            self.slowest_failure[what] = max(self.slowest_failure[what], took)

    def written_paths(self) -> list[str]:
        with self.lock:
            return [path for path, versions in self.acknowledged.items() if versions]

    def first_after(self, moment: float, node: str, action: str) -> float | None:
        """How long after a moment a node first answered such a request with success."""
        with self.lock:
            return min((at - moment for at, who, what in self.successes if who == node and what == action and at > moment), default=None)

    def longest_silence(self, begin: float, end: float, action: str) -> float:
        """The longest time within which no node answered such a request with success."""
        with self.lock:
            times = sorted(at for at, _, what in self.successes if what == action and begin <= at <= end)
        moments = [begin, *times, end]
        return max(later - earlier for earlier, later in zip(moments, moments[1:]))

    def failures_shown(self) -> str:
        """How often which, and the slowest of each."""
        shown = (f"{what} {number}x (at most {self.slowest_failure[what]:.1f} s)" for what, number in sorted(self.failures.items()))
        return ", ".join(shown) or "none"

    def check_complaints(self) -> None:
        complaints, self.complaints = self.complaints, []
        expect(not complaints, f"{len(complaints)} complaints of clients, such as:\n" + "\n".join(complaints[:5]))

    # One request each

    def write(self, client: Client, node: str, path: str, value: str, headers: dict[str, str] | None = None) -> int | None:
        """Answers the version; None when it was refused or nobody answered, and it may be there or not."""
        if not self.sending(path, value):
            return None
        began = time.monotonic()
        try:
            body = {"data": {"value": value}, "options": {"max_versions": MAX_VERSIONS}}
            answer = client.call("PUT", f"/v1/secrets/{path}", body, headers)
        except NO_ANSWER as error:
            self.failed(f"write: {type(error).__name__}", began, str(error))
            return None
        if answer.status not in (200, 201):
            self._refused("write", node, path, answer, began)
            return None
        version = answer.json()["version"]
        self.answered("write", path, version, value, answer.headers["X-Request-ID"], node)
        return version

    def read(self, client: Client, node: str, path: str, latest: bool = False) -> int | None:
        """Answers the version that was disclosed. `latest`: with `Cache-Control: no-cache`."""
        floor = self.floor(path, node, latest)
        began = time.monotonic()
        try:
            answer = client.call("GET", f"/v1/secrets/{path}", headers={"Cache-Control": "no-cache"} if latest else None)
        except NO_ANSWER as error:
            self.failed(f"read: {type(error).__name__}", began, str(error))
            return None
        if answer.status != 200:
            if answer.status != 404 or floor > 0:
                self._refused("read", node, path, answer, began)
            return None
        found = answer.json()
        self.answered("read", path, found["version"], found["data"]["value"], answer.headers["X-Request-ID"], node)
        if found["version"] < floor:
            how = "with no-cache " if latest else ""
            self.complain(f"{node} disclosed {path} version {found['version']} {how}when it had to know version {floor}")
        return found["version"]

    def _refused(self, action: str, node: str, path: str, answer: object, began: float) -> None:
        self.failed(f"{action}: {answer.status}", began, str(answer))
        if answer.status != 503:
            self.complain(f"{node}: {action} of {path} answered {answer}")
        elif not (answer.headers["Retry-After"] or "").isdigit():
            self.complain(f"{node}: {action} of {path} answered 503 without Retry-After: {answer}")


class Load:
    """Clients that write and read on several nodes until `end`.

    Each belongs to one node and pauses a little after each request: the point is what happens, not how much the machine bears.
    """

    def __init__(
        self, ledger: Ledger, nodes: list[Node], token: str, *, writers: int = 2, readers: int = 3, paths: int = 150,
        prefix: str = "load", pause: float = 0.03, timeout: float = 20,
    ) -> None:
        self.ledger, self.token, self.paths, self.prefix = ledger, token, paths, prefix
        self.pause, self.timeout = pause, timeout
        self.over = threading.Event()
        jobs = [(node, job) for node in nodes for job in [self.write] * writers + [self.read] * readers]
        self.threads = [threading.Thread(target=self._work, args=each, daemon=True) for each in jobs]
        for thread in self.threads:
            thread.start()

    def _work(self, node: Node, job) -> None:
        client, dice = Client(node.address, self.token, self.timeout), random.Random()
        while not self.over.is_set():
            try:
                done = job(client, node.name, dice)
            except (ValueError, KeyError, TypeError) as error:
                self.ledger.complain(f"an answer can't be read: {type(error).__name__}: {error}")
                return
            self.over.wait(self.pause * dice.uniform(0.5, 1.5) if done is not None else 0.1)
        client.close()

    def write(self, client: Client, node: str, dice: random.Random) -> int | None:
        path = f"{self.prefix}/{dice.randrange(self.paths)}"
        return self.ledger.write(client, node, path, f"{dice.getrandbits(128):032x}")

    def read(self, client: Client, node: str, dice: random.Random) -> int | None:
        paths = [path for path in self.ledger.written_paths() if path.startswith(f"{self.prefix}/")]
        return self.ledger.read(client, node, dice.choice(paths), dice.random() < 0.2) if paths else 0

    def end(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(60)
            expect(not thread.is_alive(), "a client still waits for an answer after a minute")


def pages(client: Client, target: str, key: str):
    """All items of a list, page by page."""
    cursor = None
    while True:
        page = client.must(200, "GET", target + (f"&cursor={urllib.parse.quote(cursor)}" if cursor else ""))
        yield from page[key]
        if not page["has_more"]:
            return
        cursor = page["cursor"]


def _stored(client: Client, ledger: Ledger, path: str) -> set[int]:
    """Compares the versions of a path with what is known of them; answers their numbers."""
    known = ledger.known.get(path, {})
    answer = client.call("GET", f"/v1/secrets/{path}/versions")
    if answer.status == 404:
        expect(not known, f"{path}: acknowledged versions {sorted(known)}, and nothing is there")
        return set()
    expect_equal(answer.status, 200, f"status of the versions of {path}")
    stored = sorted(item["version"] for item in answer.json()["versions"])
    expect_equal(stored, list(range(1, len(stored) + 1)), f"versions of {path}")
    lost = sorted(set(known) - set(stored))
    expect(not lost, f"{path}: versions {lost} were acknowledged and are lost; stored are {len(stored)}")
    values: dict[str, int] = {}
    for version in stored:
        found = client.must(200, "GET", f"/v1/secrets/{path}?version={version}")
        value = found["data"]["value"]
        expect_equal(found["version"], version, f"version of {path}?version={version}")
        expect(value in ledger.sent[path], f"{path} version {version} holds what nobody sent")
        expect(known.get(version, value) == value, f"{path} version {version} holds another value than was acknowledged")
        twice = values.setdefault(value, version)
        expect(twice == version, f"{path}: one write is there twice, as versions {twice} and {version}")
    return set(stored)


def _audited(client: Client, ledger: Ledger, stored: set[tuple[str, int]]) -> int:
    found: collections.Counter[str] = collections.Counter()
    writes: collections.Counter[tuple[str, int]] = collections.Counter()
    for entry in pages(client, "/v1/audit/logs?action=read,write&limit=1000", "logs"):
        extra, path = entry["extra_data"], entry["secret_path"]
        version = extra.get("new_version" if entry["action"] == "write" else "version")
        if entry["action"] == "write" and entry["success"] and path in ledger.sent and not extra.get("replayed"):
            writes[path, version] += 1
        wanted = ledger.requests.get(entry["request_id"])
        if wanted:
            found[entry["request_id"]] += 1
            # The entry of an answer that is given again does not repeat what it says.
            told = wanted[2] if extra.get("replayed") else version
            expect_equal((entry["action"], path, told, entry["success"]), (*wanted, True), f"entry of {entry['request_id']}")
    missing = [request for request in ledger.requests if not found[request]]
    expect(not missing, f"{len(missing)} acknowledged requests have no audit entry, such as "
                        f"{[(request, ledger.requests[request]) for request in missing[:3]]}")
    double = [request for request, number in found.items() if number > 1]
    expect(not double, f"{len(double)} acknowledged requests have several audit entries, such as {double[:3]}")
    expect_equal([key for key, number in writes.items() if number > 1], [], "versions with several entries of a write")
    expect(set(writes) == stored, "entries of writes and stored versions differ: entries without a version "
           f"{sorted(set(writes) - stored)[:5]}, versions without an entry {sorted(stored - set(writes))[:5]}")
    return len(found)


def _quiet(client: Client, seconds: float = 60) -> None:
    """Until nothing is written any more: a request whose client gave up may still be under way."""
    deadline, before, since = time.monotonic() + seconds, "", time.monotonic()
    while time.monotonic() < deadline:
        newest = client.must(200, "GET", "/v1/audit/logs?action=write&limit=1")["logs"]
        now = newest[0]["id"] if newest else ""
        if now != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > 0.5:
            return
        time.sleep(0.1)
    raise AssertionError(f"writes still arrive {seconds:g} s after the last client ended")


def verified(client: Client) -> int:
    """The audit chains are whole; the number of their entries."""
    client.timeout = max(client.timeout, 120)
    answer = client.must(200, "GET", "/v1/audit/verify")
    expect(answer["valid"], f"the audit chains are broken: {answer}")
    return answer["entries"]


def compare(node: Node, token: str, ledger: Ledger, readers: int = 6) -> str:
    """Compares everything; a line of figures. The audit first: reading what is stored is audited as well."""
    paths = sorted(ledger.sent)
    local = threading.local()

    def one(path: str) -> tuple[str, set[int]]:
        if not hasattr(local, "client"):
            local.client = Client(node.address, token, 60)
        return path, _stored(local.client, ledger, path)

    client = Client(node.address, token, 120)
    _quiet(client)
    with ThreadPoolExecutor(readers) as pool:
        stored = {(path, version) for path, versions in pool.map(one, paths) for version in versions}
    entries = _audited(client, ledger, stored)
    chained = verified(client)
    ledger.check_complaints()
    surplus = len(stored) - ledger.total["write"]
    return (
        f"acknowledged {ledger.total['write']} writes and {ledger.total['read']} reads, lost 0; {entries} audit entries of them found; "
        f"{len(stored)} versions stored, {surplus} of them not acknowledged; {chained} entries in whole chains"
    )
