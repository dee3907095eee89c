#!/usr/bin/env python3
"""Several nodes on one PostgreSQL database, in ordinary life.

  nodes.py [--restarts 1] [--samples 40] [part ...]     parts: rolling seen reaching mistakes

rolling: three nodes are restarted one after the other, `--restarts` times, behind a client that goes to the next node only where a
connection is refused: no request fails. seen: how soon a change on one node shows on another. reaching: PgBouncer, TLS, rights,
a database that restarts. mistakes: wrong passwords, certificates, two nodes of one name.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import pathlib
import secrets
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from ledger import Ledger, Load, compare, verified
from servers import Answer, Client, Node, Site, Tally, eventually, expect, expect_equal, percentiles, running, scratch

from cluster import Cluster, Cut, PgBouncer, Proxy, TlsFiles

WITHIN = 1.0
PARTS = ("rolling", "seen", "reaching", "mistakes")


class Balancer:
    """A client of all nodes in turn, with a connection for each request; refused ones go to the next node and count as no failure."""

    def __init__(self, nodes: list[Node], token: str) -> None:
        self.nodes, self.token, self.turn = nodes, token, 0
        self.refused = 0

    def call(self, method: str, target: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        for _ in range(200):
            self.turn += 1
            node = self.nodes[self.turn % len(self.nodes)]
            connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
            try:
                connection.connect()
            except ConnectionRefusedError:
                self.refused += 1
                if self.turn % len(self.nodes) == 0:
                    time.sleep(0.01)
                continue
            with contextlib.closing(connection):
                sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", "Connection": "close"} | (headers or {})
                connection.request(method, target, None if body is None else json.dumps(body).encode(), sent)
                response = connection.getresponse()
                return Answer(response.status, response.headers, response.read())
        raise ConnectionRefusedError("no node takes connections")


def rolling(tally: Tally, directory: pathlib.Path, primary: Cluster, restarts: int) -> None:
    site = Site(directory, primary.url("scaivault", "scaivault", schema="rolling"))
    nodes, ledger, over = [site.node(name) for name in "abc"], Ledger(), threading.Event()
    with running(nodes), tally.check("three nodes restarted one after the other: no request fails"):
        balancers = [Balancer(nodes, site.token) for _ in range(6)]

        def work(balancer: Balancer, number: int) -> None:
            count = 0
            while not over.is_set():
                count += 1
                path = f"rolling/{number}/{count % 40}"
                # The node is not told to the ledger: what one node wrote another need not show within the same second.
                ledger.write(balancer, f"client {number}, write", path, secrets.token_hex(8))
                ledger.read(balancer, f"client {number}, read", path)
                time.sleep(0.02)

        threads = [threading.Thread(target=work, args=(each, number), daemon=True) for number, each in enumerate(balancers)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        times = []
        for _ in range(restarts):
            for node in nodes:
                began = time.monotonic()
                expect_equal(node.terminate(), 0, f"exit code of {node.name}")
                node.start()
                node.wait_ready(20)
                times.append(time.monotonic() - began)
                time.sleep(0.5)
        over.set()
        for thread in threads:
            thread.join(40)
        print(f"      {len(times)} restarts, {percentiles(times)}; {sum(each.refused for each in balancers)} connections refused; "
              f"failures: {ledger.failures_shown()} {ledger.samples or ''}\n      {compare(nodes[0], site.token, ledger)}", flush=True)
        expect(not ledger.failures, f"requests failed: {ledger.failures_shown()} {ledger.samples}")


def _shows(condition, since: float) -> float:
    """How long after `since` it shows; the request that showed it began then or later."""
    while time.monotonic() - since < 5:
        began = time.monotonic()
        if condition():
            return max(0.0, began - since)
    raise AssertionError("it did not show within 5 s")


def seen(tally: Tally, directory: pathlib.Path, primary: Cluster, samples: int) -> None:
    site = Site(directory, primary.url("scaivault", "scaivault", schema="seen"))
    nodes = [site.node("a"), site.node("b")]
    with running(nodes):
        a, b = (node.client() for node in nodes)
        with tally.check("a write shows on the other node within a second"):
            took = []
            for number in range(samples):
                path = f"/v1/secrets/seen/{number % 5}"
                a.must((200, 201), "PUT", path, {"data": {"value": "before"}})
                eventually("it shows", lambda: b.call("GET", path).status == 200)
                version = a.must((200, 201), "PUT", path, {"data": {"value": "after"}})["version"]
                since = time.monotonic()
                expect_equal(b.must(200, "GET", path, headers={"Cache-Control": "no-cache"})["version"], version, "with no-cache")
                took.append(_shows(lambda: b.must(200, "GET", path)["version"] == version, since))
            print(f"      write on one, read on the other: {percentiles(took)}", flush=True)
            expect(max(took) <= WITHIN, f"a write showed after {max(took):.2f} s")
        with tally.check("a write that nobody asks for with no-cache shows within a second"):
            took = []
            for number in range(samples):
                path = f"/v1/secrets/plain/{number % 5}"
                a.must((200, 201), "PUT", path, {"data": {"value": "before"}})
                eventually("it shows", lambda: b.call("GET", path).status == 200)
                version = a.must((200, 201), "PUT", path, {"data": {"value": "after"}})["version"]
                since = time.monotonic()
                took.append(_shows(lambda: b.must(200, "GET", path)["version"] == version, since))
            print(f"      write on one, read on the other: {percentiles(took)}", flush=True)
            expect(max(took) <= WITHIN, f"a write showed after {max(took):.2f} s")
        with tally.check("a token revoked on one node is refused by the other within a second"):
            took = []
            for number in range(samples):
                made = a.must(201, "POST", "/v1/auth/tokens", {"name": f"t{number}", "scopes": ["secrets:read"], "expires_in": "1h"})
                guest = nodes[1].client(made["token"])
                eventually("it is known", lambda: guest.call("GET", "/v1/auth/whoami").status == 200)
                a.must(204, "DELETE", f"/v1/auth/tokens/{made['id']}")
                since = time.monotonic()
                took.append(_shows(lambda: guest.call("GET", "/v1/auth/whoami").status == 401, since))
            print(f"      revoked on one, refused by the other: {percentiles(took)}", flush=True)
            expect(max(took) <= WITHIN, f"a revoked token was good for {max(took):.2f} s")
        with tally.check("a binding removed on one node is gone on the other within a second"):
            a.must(201, "POST", "/v1/identity/tenants/tnt_default/service-accounts", {"name": "guest", "allowed_scopes": ["secrets:read"]})
            policy = a.must(201, "POST", "/v1/policies", {"name": "p", "rules": [{"path_pattern": "seen/**", "permissions": ["read"]}]})["id"]
            body = {"name": "t", "identity_id": "sa:guest", "scopes": ["secrets:read"], "expires_in": "1h"}
            guest = nodes[1].client(a.must(201, "POST", "/v1/auth/tokens", body)["token"])
            took, granted = [], []
            for _ in range(samples):
                bound = a.must(201, "POST", f"/v1/policies/{policy}/bindings", {"identity_type": "service_account", "identity_id": "sa:guest"})
                since = time.monotonic()
                granted.append(_shows(lambda: guest.call("GET", "/v1/secrets/seen/0").status == 200, since))
                a.must(204, "DELETE", f"/v1/policies/{policy}/bindings/{bound['id']}")
                since = time.monotonic()
                took.append(_shows(lambda: guest.call("GET", "/v1/secrets/seen/0").status == 403, since))
            print(f"      bound: {percentiles(granted)}; unbound: {percentiles(took)}", flush=True)
            expect(max(took + granted) <= WITHIN, f"a changed binding showed after {max(took + granted):.2f} s")
            verified(a)


def _lives(node: Node, other: Node | None = None) -> None:
    """It writes, reads, and hears of what another node changes."""
    client = node.client()
    version = client.must((200, 201), "PUT", "/v1/secrets/a/b", {"data": {"value": secrets.token_hex(8)}})["version"]
    expect_equal(client.must(200, "GET", "/v1/secrets/a/b")["version"], version, "version")
    if other is not None:
        theirs = other.client().must(200, "PUT", "/v1/secrets/a/b", {"data": {"value": "other"}})["version"]
        since = time.monotonic()
        expect(_shows(lambda: client.must(200, "GET", "/v1/secrets/a/b")["version"] == theirs, since) <= WITHIN, "it hears too late")
    verified(client)


def reaching(tally: Tally, directory: pathlib.Path, primary: Cluster) -> None:
    with tally.check("behind PgBouncer in session mode, also after it was killed"), PgBouncer(primary) as bouncer:
        site = Site(directory, bouncer.url("scaivault", "scaivault", schema="bouncer"))
        behind, straight = site.node("a"), site.node("b", address=primary.url("scaivault", "scaivault", schema="bouncer"))
        with running([behind, straight]):
            _lives(behind, straight)
            bouncer.kill9()
            bouncer.start()
            eventually("it serves again", lambda: behind.client().call("GET", "/v1/secrets/a/b").status == 200, 10)
            _lives(behind, straight)
    with tally.check("a role that owns a schema and may do nothing else"):
        primary.make_role("narrow", "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE")
        primary.psql("GRANT CONNECT ON DATABASE scaivault TO narrow; CREATE SCHEMA narrow AUTHORIZATION narrow", database="scaivault")
        site = Site(directory, primary.url("narrow", "scaivault", schema="narrow"))
        with running([node := site.node("a")]):
            _lives(node)
        said = Site(directory, primary.url("narrow", "scaivault", schema="absent")).node("a").refused()
        expect("absent" in said and "CREATE SCHEMA" in said, f"it does not say what is missing: {said}")
    with tally.check("PostgreSQL restarted while nobody asks: the next request works"):
        site = Site(directory, primary.url("scaivault", "scaivault", schema="idle"))
        with running(nodes := [site.node("a"), site.node("b")]):
            for node in nodes:
                _lives(node)
            for action in ("read", "write"):
                primary.restart()
                for node in nodes:
                    client = node.client()
                    answer = client.call("GET", "/v1/secrets/a/b") if action == "read" else client.call(
                        "PUT", "/v1/secrets/a/b", {"data": {"value": "x"}})
                    expect(answer.status == 200, f"the first {action} after a restart answered {answer}")
            _lives(nodes[0], nodes[1])
    with tally.check("TLS with sslmode=verify-full"), TlsFiles() as files:
        primary.use_tls(files.server)
        where = {"host": "localhost", "schema": "tls", "sslmode": "verify-full"}
        site = Site(directory, primary.url("scaivault", "scaivault", sslrootcert=str(files.authority), **where))
        with running([node := site.node("a")]):
            _lives(node)
            used = primary.psql("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'scaivault'")
            expect_equal(used, "t", "whether all its connections are encrypted")
        stranger = Site(directory, primary.url("scaivault", "scaivault", sslrootcert=str(files.stranger), **where))
        said = _refused(stranger.node("a"), primary)
        expect("certificate" in said.lower() or "UnknownIssuer" in said, f"of a stranger's certificate it says only: {said}")
        primary.use_tls(files.wrong_host)
        said = _refused(site.node("again"), primary)
        expect("localhost" in said and ("name" in said.lower() or "host" in said.lower()), f"of the wrong host it says only: {said}")


def _refused(node: Node, primary: Cluster, password: str = "") -> str:
    said = node.refused()
    for each in filter(None, [primary.passwords["scaivault"], password]):
        expect(each not in said, "a password was printed")
    expect("panicked" not in said, f"it panicked: {said}")
    print(f"      it says: {said.strip().splitlines()[-1][:240]}", flush=True)
    return said


def mistakes(tally: Tally, directory: pathlib.Path, primary: Cluster) -> None:
    with tally.check("a wrong password: a clear line without it"):
        wrong = f"wrong-{secrets.token_hex(6)}"
        said = _refused(Site(directory, primary.url("scaivault", "scaivault", password=wrong)).node("a"), primary, wrong)
        expect("password authentication failed" in said, f"it says only: {said}")
    with tally.check("nobody listens there: a clear line"):
        said = _refused(Site(directory, primary.url("scaivault", "scaivault", port=1)).node("a"), primary)
        expect("refused" in said, f"it says only: {said}")
    with tally.check("two nodes of one name: everything is still right, and the log says so"), Proxy(primary.port) as proxy:
        here = {"schema": "twins", "sslmode": "disable"}
        site = Site(directory, primary.url("scaivault", "scaivault", **here))
        through = primary.url("scaivault", "scaivault", port=proxy.port, **here)
        nodes, ledger = [site.node("a", NODE_ID="twin", address=through), site.node("b", NODE_ID="twin")], Ledger()
        with running(nodes):
            load = Load(ledger, nodes, site.token, writers=3, readers=2, paths=60)
            time.sleep(2)
            cuts = 0
            # The answers to commits are lost while the other one writes on in the same chains.
            for _ in range(50):
                armed = proxy.cut_at_commit(Cut.ANSWER_LOST)
                time.sleep(0.12)
                cuts += armed.done
            proxy.heal()
            time.sleep(0.5)
            load.end()
            print(f"      {cuts} answers to commits lost; {compare(nodes[0], site.token, ledger)}; failures: {ledger.failures_shown()}",
                  flush=True)
            expect(any("NODE_ID" in line for line in site.errors()), "nobody says that two nodes have one name")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--restarts", type=int, default=1, help="how often each node restarts (default 1)")
    parser.add_argument("--samples", type=int, default=40, help="measurements of each kind (default 40)")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="part", help="only these")
    arguments = parser.parse_args()
    wanted = set(arguments.parts or PARTS)
    tally, began = Tally(), time.monotonic()
    with scratch("nodes") as directory, Cluster() as primary:
        primary.make_application()
        if "rolling" in wanted:
            rolling(tally, directory, primary, arguments.restarts)
        if "seen" in wanted:
            seen(tally, directory, primary, arguments.samples)
        if "mistakes" in wanted:
            mistakes(tally, directory, primary)
        if "reaching" in wanted:
            reaching(tally, directory, primary)
    print(f"{time.monotonic() - began:.0f} s", flush=True)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
