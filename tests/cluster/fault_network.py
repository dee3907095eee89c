"""The database is away, slow, or its connections end at the worst moment. Parts of faults.py."""

from __future__ import annotations

import contextlib
import os
import pathlib
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator

from ledger import Ledger, Load, compare, verified
from servers import NO_ANSWER, Client, Node, Site, Tally, eventually, expect, expect_equal, running, until

from cluster import Cluster, Cut, Proxy

PROMPT = 6.0
# How long a node may go by what it remembers after another node changed it.
STALE = 1.0


def gone(tally: Tally, directory: pathlib.Path, primary: Cluster, seconds: float) -> None:
    """The database is killed and comes back after `seconds`."""
    site = Site(directory, primary.url("scaivault", "scaivault", schema="gone"))
    nodes, ledger = [site.node("a"), site.node("b")], Ledger()
    with running(nodes), tally.check(f"database gone for {seconds:g} s: 503 with Retry-After, then normal without a restart"):
        load = Load(ledger, nodes, site.token, writers=2, readers=2)
        time.sleep(2)
        pids = [node.process.pid for node in nodes]
        primary.kill9()
        since = time.monotonic()
        eventually("not ready", lambda: all(node.status("/v1/health/ready") == 503 for node in nodes), PROMPT)
        unready = time.monotonic() - since
        while time.monotonic() - since < seconds:
            expect_equal([node.status("/v1/health") for node in nodes], [200, 200], "health")
            expect_equal([node.status("/v1/health/ready") for node in nodes], [503, 503], "readiness")
            time.sleep(0.3)
        refused = {what: took for what, took in ledger.slowest_failure.items()}
        expect(ledger.failures["write: 503"] and ledger.failures["read: 503"], f"nothing was refused: {dict(ledger.failures)}")
        primary.start()
        there = time.monotonic()
        back = {}
        for node in nodes:
            for action in ("write", "read"):
                until(lambda: ledger.first_after(there, node.name, action) is not None, 20)
                back[f"{node.name} {action}"] = ledger.first_after(there, node.name, action)
        time.sleep(1)
        load.end()
        ready = max(node.wait_ready(5) for node in nodes)
        expect_equal([node.process.pid for node in nodes], pids, "processes")
        figures = compare(nodes[0], site.token, ledger)
        print(f"      ready 503 after {unready:.1f} s; the slowest refusals {refused}; back after {back}; ready after {ready:.1f} s\n"
              f"      {figures}; failures: {ledger.failures_shown()}", flush=True)
        expect(all(took is not None and took < 5 for took in back.values()), f"not back within 5 s: {back}")
        expect(all(took < PROMPT for took in ledger.slowest_failure.values()), f"slow refusals: {ledger.failures_shown()}")


def slow(tally: Tally, directory: pathlib.Path, primary: Cluster, seconds: float) -> None:
    """Each answer of the database takes half a second more, for both nodes."""
    with Proxy(primary.port) as far, Proxy(primary.port) as farther:
        site = Site(directory, primary.url("scaivault", "scaivault", schema="slow", sslmode="disable"))
        proxies = [far, farther]
        nodes = [
            site.node(name, address=primary.url("scaivault", "scaivault", port=proxy.port, schema="slow", sslmode="disable"))
            for name, proxy in zip("ab", proxies)
        ]
        ledger = Ledger()
        with running(nodes), tally.check("database slow by 500 ms: correct, and nothing stale"):
            # First so that both nodes know the paths; then slowly. What is older than a second, or with no-cache older than what was
            # acknowledged before, is a complaint.
            for number in range(4):
                ledger.write(nodes[number % 2].client(), "ab"[number % 2], f"slow/{number}", secrets.token_hex(8))
            for proxy in proxies:
                proxy.delay(to_client=0.5)
            began, before = time.monotonic(), dict(ledger.total)
            # One writer: a transaction has many statements, and what waits longer for it than for a lock is refused.
            loads = [
                Load(ledger, nodes[:1], site.token, writers=1, readers=2, paths=4, prefix="slow", timeout=90),
                Load(ledger, nodes[1:], site.token, writers=0, readers=2, paths=4, prefix="slow", timeout=90),
            ]
            time.sleep(seconds)
            for proxy in proxies:
                proxy.heal()
            slowly = [action for at, _, action in ledger.successes if at > began]
            time.sleep(1)
            for load in loads:
                load.end()
            for action in ("read", "write"):
                expect(action in slowly, f"no {action} was answered within {seconds:g} s; {ledger.failures_shown()}")
            print(f"      in {seconds:g} s {slowly.count('write')} writes and {slowly.count('read')} reads, begun with {before}; "
                  f"{compare(nodes[1], site.token, ledger)}; failures: {ledger.failures_shown()}", flush=True)


def _insist(ledger: Ledger, client: Client, node: str, path: str, value: str, seconds: float = 30) -> int:
    """A client with an Idempotency-Key: repeats the request until somebody tells what became of it."""
    key, deadline, tries = secrets.token_hex(16), time.monotonic() + seconds, 0
    ledger.sending(path, value)
    while time.monotonic() < deadline:
        tries += 1
        with contextlib.suppress(*NO_ANSWER):
            body = {"data": {"value": value}, "options": {"max_versions": 100}}
            answer = client.call("PUT", f"/v1/secrets/{path}", body, {"Idempotency-Key": key})
            if answer.status in (200, 201):
                ledger.answered("write", path, answer.json()["version"], value, answer.headers["X-Request-ID"], node)
                return tries
            expect(answer.status in (503, 409), f"a repetition answered {answer}")
        time.sleep(0.2)
    raise AssertionError(f"nobody told within {seconds:g} s what became of {path}")


def commits(tally: Tally, directory: pathlib.Path, primary: Cluster, long: bool) -> None:
    """The connection is cut when a COMMIT goes by."""
    with Proxy(primary.port) as proxy:
        direct = primary.url("scaivault", "scaivault", schema="commits", sslmode="disable")
        site = Site(directory, direct)
        through = primary.url("scaivault", "scaivault", port=proxy.port, schema="commits", sslmode="disable")
        nodes, ledger = [site.node("a", address=through), site.node("b")], Ledger()
        with running(nodes):
            client, other = nodes[0].client(timeout=40), nodes[1].client()
            with tally.check("a connection cut at a COMMIT: the write is there once, with and without an Idempotency-Key"):
                for turn in range(4):
                    for where in Cut:
                        path = f"cut/{where.name.lower()}-{turn}"
                        armed = proxy.cut_at_commit(where)
                        ledger.write(client, "a", f"{path}-plain", secrets.token_hex(8))
                        armed.wait(5)
                        armed = proxy.cut_at_commit(where)
                        _insist(ledger, client, "a", f"{path}-key", secrets.token_hex(8))
                        armed.wait(5)
                        proxy.heal()
            with tally.check("cut at a COMMIT under load, again and again"):
                load, cuts = Load(ledger, nodes, site.token, writers=3, readers=2, prefix="busy", paths=60), 0
                for turn in range(40):
                    armed = proxy.cut_at_commit(list(Cut)[turn % 3])
                    time.sleep(0.12)
                    cuts += armed.done
                proxy.heal()
                time.sleep(0.5)
                load.end()
                print(f"      {cuts} connections cut; failures: {ledger.failures_shown()}", flush=True)
                expect(cuts > 15, "too few cuts")
            with tally.check("the answer is lost and the database is away: an Idempotency-Key gives the truth afterwards"):
                for where in Cut if long else [Cut.ANSWER_LOST]:
                    armed = proxy.cut_at_commit(where)
                    path, result = f"away/{where.name.lower()}", []
                    thread = threading.Thread(target=lambda: result.append(
                        _insist(ledger, client, "a", path, secrets.token_hex(8), 40)))
                    thread.start()
                    armed.wait(5)
                    proxy.refuse()
                    proxy.cut()
                    time.sleep(9.5)
                    proxy.heal()
                    thread.join(60)
                    expect(bool(result), "the client heard nothing")
                    expect_equal(other.must(200, "GET", f"/v1/secrets/{path}/versions")["versions"][0]["version"], 1, "versions")
                    print(f"      {where.name.lower()}: the truth at try {result[0]}", flush=True)
            with tally.check("after all cuts nothing is lost or there twice, and the chains are whole"):
                print(f"      {compare(nodes[1], site.token, ledger)}", flush=True)


def _feeds(primary: Cluster, node: str) -> list[int]:
    """The server's processes that serve a node's change feed."""
    ours = r"pg_current_snapshot\(\)::text AS snapshot|^NOTIFY |^LISTEN |DELETE FROM change_feed|UPDATE node SET seen_at"
    found = primary.psql(f"SELECT pid FROM pg_stat_activity WHERE application_name = '{node}' AND query ~ '{ours}'")
    return [int(line) for line in found.split()]


@contextlib.contextmanager
def _frozen(pids: list[int]) -> Iterator[None]:
    """Their connections stay open and nothing answers."""
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _stale(a: Client, b: Client, ledger: Ledger, turn: str, strike: Callable[[], object]) -> str:
    """A write and a revocation on one node, just after `strike`: how long the other one went by what it remembered."""
    made = a.must(201, "POST", "/v1/auth/tokens", {"name": f"t {turn}", "scopes": ["secrets:read"], "expires_in": "1h"})
    path = f"feed/{turn}"
    ledger.write(a, "a", path, secrets.token_hex(8))
    time.sleep(STALE)
    guest = Client(f"http://{b.address.netloc}", made["token"], timeout=30)
    for _ in range(3):  # So that it remembers both.
        ledger.read(b, "b", path)
        guest.must(200, "GET", "/v1/auth/whoami")
    strike()
    version = ledger.write(a, "a", path, secrets.token_hex(8))
    written = time.monotonic()
    a.must(204, "DELETE", f"/v1/auth/tokens/{made['id']}")
    revoked = time.monotonic()
    old = guested = 0.0
    seen: dict[str, float] = {}
    while time.monotonic() - revoked < 15 and len(seen) < 2:
        began = time.monotonic()
        shown = ledger.read(b, "b", path)
        if shown == version:
            seen.setdefault("write", time.monotonic() - written)
        elif shown is not None:
            old = max(old, began - written)
        began = time.monotonic()
        status = guest.call("GET", "/v1/auth/whoami").status
        expect(status in (200, 401, 503), f"a revoked token was answered {status}")
        if status == 401:
            seen.setdefault("revocation", time.monotonic() - revoked)
        elif status == 200:
            guested = max(guested, began - revoked)
        time.sleep(0.01)
    expect(guested <= STALE, f"a revoked token was good for {guested:.2f} s")
    expect(old <= STALE, f"an old value was shown for {old:.2f} s")
    expect(len(seen) == 2, f"never seen on the other node: {seen}")
    return f"{turn}: old value for {old:.2f} s, revoked token for {guested:.2f} s; known after {seen}"


def feed(tally: Tally, directory: pathlib.Path, primary: Cluster) -> None:
    """One node hears nothing, or nothing of the changes only."""
    with Proxy(primary.port) as proxy:
        site = Site(directory, primary.url("scaivault", "scaivault", schema="feed", application_name="node_a"))
        through = primary.url("scaivault", "scaivault", port=proxy.port, schema="feed", application_name="node_b")
        nodes: list[Node] = [site.node("a"), site.node("b", address=through)]
        ledger = Ledger()
        with running(nodes):
            a, b = (node.client() for node in nodes)
            for turn, what in (("ended", "is ended by the server"), ("silent", "goes silent"), ("cut", "is cut with all others of the node"),
                               ("hole", "goes silent with all others of the node")):
                with tally.check(f"the feed's connection {what}: nothing older than a second"), contextlib.ExitStack() as after:
                    eventually("the feed is there", lambda: len(_feeds(primary, "node_b")) == 1)
                    over = threading.Event()

                    def again_and_again(each: Callable[[], object]) -> None:
                        def repeat() -> None:
                            while not over.wait(0.05):
                                each()
                        threading.Thread(target=repeat, daemon=True).start()
                        threading.Timer(3, over.set).start()

                    def end_feed() -> None:
                        for pid in _feeds(primary, "node_b"):
                            primary.psql(f"SELECT pg_terminate_backend({pid})")

                    def hole() -> None:
                        proxy.black_hole()
                        threading.Timer(3, proxy.heal).start()

                    def silence() -> None:
                        pids = _feeds(primary, "node_b")
                        expect(bool(pids), "no connection of the feed was found")
                        after.enter_context(_frozen(pids))

                    strike = {
                        "ended": lambda: again_and_again(end_feed), "cut": lambda: again_and_again(proxy.cut), "hole": hole,
                        "silent": silence,
                    }[turn]
                    print(f"      {_stale(a, b, ledger, turn, strike)}", flush=True)
                    over.set()
                    proxy.heal()
                    nodes[1].wait_ready(30)
            with tally.check("after that nothing is lost, and the chains are whole"):
                until(lambda: b.call("GET", "/v1/auth/whoami").status == 200, 10)
                print(f"      {compare(nodes[1], site.token, ledger)}; failures: {ledger.failures_shown()}", flush=True)
                verified(a)
