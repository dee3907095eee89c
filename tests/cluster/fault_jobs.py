"""Nodes that die with jobs in their hands, and nodes whose clocks differ. Parts of faults.py."""

from __future__ import annotations

import collections
import pathlib
import secrets
import time

from jobs import Receiver, Rotations, seconds
from ledger import Ledger, compare, verified
from servers import Node, Site, Tally, eventually, expect, expect_equal, running, skewed, until

from cluster import Cluster

LEASE = 30.0
# What a node takes on top to see that a lease has ended and to do the work.
MORE = 8.0
# The other node's clock is ahead by as much as a lease lasts: by its own clock each lease would be over at once.
AHEAD = 30


def prepare(tally: Tally, directory: pathlib.Path, primary: Cluster) -> tuple[Site, Node, Node, Rotations] | None:
    """Secrets that rotate a minute from now; nobody runs until `jobs`."""
    site = Site(directory, primary.url("scaivault", "scaivault", schema="jobs"))
    a, b = site.node("a"), site.node("b", **skewed(AHEAD))
    with tally.check("secrets that rotate"), running([a]):
        rotations = Rotations(a.client(), "rotating", 200, 1.0)
        return site, a, b, rotations
    return None


def _kill_while_rotating(a: Node, primary: Cluster, count: int) -> list[int]:
    """Starts the node when everything is due and kills it at once, again and again until it is done; how much was done at each kill."""
    done: list[int] = []
    while len(done) < 16 and (not done or done[-1] < count):
        a.start()
        # Longer each time until the first are done, then short again: the next kill is to meet the rest.
        time.sleep(0.06 * len(done) if not any(done) else 0.06 * done.count(0))
        a.kill()
        done.append(int(primary.psql("SELECT count(*) FROM jobs.rotation_history WHERE status = 'success'", database="scaivault")))
    return done


def jobs(tally: Tally, primary: Cluster, site: Site, a: Node, b: Node, rotations: Rotations) -> None:
    ledger, receiver = Ledger(), Receiver()
    with tally.check("a node dies while secrets rotate: each rotates once"):
        rotations.wait_until_due(before=0.5)
        time.sleep(max(0.0, rotations.last_due - time.monotonic()) + 0.5)
        kills = _kill_while_rotating(a, primary, len(rotations.paths))
        with running([a, b]):
            client = b.client()
            eventually("all rotations are done", lambda: rotations.done(client) == len(rotations.paths), 2 * LEASE)
            print(f"      killed {len(kills)} times, when {kills} were done; {rotations.check(client, cycles=1)}", flush=True)
    # By now the rotations of the next minute are far away enough.
    with tally.check("a node dies with deliveries in its hands: the other takes over when the lease is over, and not before"):
        with running([a]):
            client = a.client()
            receiver.hook(client, ["secret.created"], "held/")
            receiver.hold = 9.0
            for number in range(6):
                ledger.write(client, "a", f"held/{number}", secrets.token_hex(8))
            eventually("a delivery is under way", lambda: bool(receiver.came), 10)
            b.start()
            time.sleep(1.0)
            held = dict(receiver.paths())
            first = {path: at for _, _, path, at in reversed(receiver.came)}
            a.kill()
            killed = time.monotonic()
            receiver.hold = 0.0
            until(lambda: len(receiver.came) >= 6 + len(held), LEASE + MORE, 0.1)
            took = time.monotonic() - killed
            counts = receiver.paths()
            expect_equal(sorted(counts), sorted(f"held/{number}" for number in range(6)), "paths of which events came")
            expect(all(counts[path] == 2 for path in held), f"those that the dead node held came not twice: {dict(counts)}, held {held}")
            again = [at - first[path] for _, _, path, at in receiver.came if path in held and at != first[path]]
            expect(min(again) > LEASE - 3, f"taken over {min(again):.1f} s after the lease began, which is {LEASE:g} s long")
            expect(took < LEASE + MORE, f"taken over only after {took:.1f} s")
            client = b.client()
            jobs_left = client.must(200, "GET", "/v1/sys/jobs")
            expect_equal(jobs_left["dead"], [], "jobs that were given up")
            print(f"      {len(held)} deliveries were held; taken over {min(again):.1f} to {max(again):.1f} s after they began, by a node "
                  f"whose clock is {AHEAD} s ahead; {verified(client)} entries in whole chains", flush=True)
    receiver.close()


def clocks(tally: Tally, directory: pathlib.Path, primary: Cluster) -> None:
    site = Site(directory, primary.url("scaivault", "scaivault", schema="clocks"))
    nodes = [site.node("right"), site.node("ahead", **skewed(AHEAD)), site.node("behind", **skewed(-AHEAD))]
    ledger = Ledger()
    with running(nodes), tally.check("clocks half a minute apart: one time for timestamps, expiries and versions"):
        clients = [node.client() for node in nodes]
        worst = 0.0
        for turn in range(4):
            for client, node in zip(clients, nodes):
                path = f"time/{turn}"
                ledger.write(client, node.name, path, secrets.token_hex(8))
        database = float(primary.psql("SELECT extract(epoch FROM clock_timestamp())"))
        stamps = [seconds(entry["timestamp"]) for entry in clients[0].must(200, "GET", "/v1/audit/logs?action=write&limit=12")["logs"]]
        chains = collections.Counter(
            entry["chain"] for entry in clients[0].must(200, "GET", "/v1/audit/logs?action=write&limit=12")["logs"])
        expect_equal(len(chains), 3, "chains with writes")
        worst = max(abs(stamp - database) for stamp in stamps)
        expect(worst < 3, f"a timestamp is {worst:.1f} s away from the database's clock")
        for turn in range(4):
            made = clients[0].must(200, "GET", f"/v1/secrets/time/{turn}/versions")["versions"]
            times = [seconds(item["created_at"]) for item in sorted(made, key=lambda item: item["version"])]
            expect(times == sorted(times) and times[-1] - times[0] <= 2, f"times of versions by three nodes: {times}")
        ended = _expiry(nodes, clients)
        print(f"      timestamps at most {worst:.2f} s away from the database's clock; a token of 5 s ended after {ended} s; "
              f"{compare(nodes[1], site.token, ledger)}", flush=True)


def _expiry(nodes: list[Node], clients: list) -> dict[str, float]:
    """When a token that is good for five seconds ends, by node."""
    made = clients[1].must(201, "POST", "/v1/auth/tokens", {"name": "short", "scopes": ["secrets:read"], "expires_in": "5s"})
    began, ended = time.monotonic(), {}
    guests = {node.name: node.client(made["token"]) for node in nodes}
    for name, guest in guests.items():
        eventually(f"{name} knows the token", lambda: guest.call("GET", "/v1/auth/whoami").status == 200, 3)
    while len(ended) < len(nodes) and time.monotonic() - began < 12:
        for name, guest in guests.items():
            if name not in ended and guest.call("GET", "/v1/auth/whoami").status == 401:
                ended[name] = round(time.monotonic() - began, 2)
        time.sleep(0.02)
    expect(len(ended) == len(nodes) and all(3.9 < took < 6.5 for took in ended.values()), f"a token of 5 s ended after {ended}")
    expect(max(ended.values()) - min(ended.values()) < 1, f"nodes do not agree when a token ended: {ended}")
    return ended
