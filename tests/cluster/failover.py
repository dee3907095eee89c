#!/usr/bin/env python3
"""Failovers under load: two nodes, a primary with a synchronous standby, and everything that was acknowledged counted.

  failover.py [--rounds 2] [--seconds 70]

Clients write through one node and read through the other, and the other way round. In each round the primary dies (kill -9 of all
its processes) and the standby is promoted; in every other round one of the nodes is killed too and started again. Meanwhile secrets
rotate, webhooks are delivered and a subscription is followed. `--seconds` is how long the load lasts at least: rotations fall due
from the sixtieth second on, and the last failover comes when they do. Then:
- each node answered writes and reads again within 5 s of the promotion;
- every acknowledged write is there once, with its value; no disclosed read and no write lacks its audit entry (`ledger.py`);
- no read was older than a second, or than its own node's writes, or with no-cache than anything acknowledged before it;
- each rotation was done once, each delivery at least once, each event told once; the audit chains are whole.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from jobs import Listening, Receiver, Rotations
from ledger import Ledger, Load, compare
from servers import Node, Site, Tally, eventually, expect, running, scratch, stand_in, until, url_of

from cluster import Cluster

BACK_WITHIN = 5.0
ROTATING, SPREAD = 30, 9.0


@dataclasses.dataclass
class Round:
    number: int
    killed: str = ""
    promoted: float = 0.0
    back: dict[str, float | None] = dataclasses.field(default_factory=dict)
    silence: float = 0.0


def one_round(figures: Round, old: Cluster, new: Cluster, nodes: list[Node], ledger: Ledger) -> None:
    """The primary dies and the standby takes its place; in even rounds a node dies with it, before or after the promotion."""
    number = figures.number
    victim = nodes[number // 2 % len(nodes)] if number % 2 == 0 else None
    figures.killed = victim.name if victim else ""
    began = time.monotonic()
    old.fence()
    if victim and number % 4 == 2:
        victim.kill()
    time.sleep(0.3)
    ordered = time.monotonic()
    new.promote()
    promoted = time.monotonic()
    figures.promoted = promoted - ordered
    if victim and number % 4 == 0:
        victim.kill()
    if victim:
        victim.come_back(20)
    listening = time.monotonic()
    for node in nodes:
        # Nobody can answer before the promotion; `promote` itself looks a little late whether it is done.
        since, zero = (listening, listening) if node is victim else (ordered, promoted)
        for action in ("write", "read"):
            until(lambda: ledger.first_after(since, node.name, action) is not None, 20)
            took = ledger.first_after(since, node.name, action)
            figures.back[f"{node.name} {action}"] = None if took is None else max(0.0, took - (zero - since))
    figures.silence = ledger.longest_silence(began - 0.5, time.monotonic(), "write")
    slow = {name: took for name, took in figures.back.items() if took is None or took > BACK_WITHIN}
    expect(not slow, f"not back within {BACK_WITHIN:g} s of the promotion: {slow}; failures of clients {dict(ledger.failures)}")


def table(rounds: list[Round], names: list[str]) -> None:
    columns = [f"{name} {action}" for name in names for action in ("write", "read")]
    print("      round  node killed  promotion took  " + "  ".join(f"{column:>8}" for column in columns) + "  no write for")
    for each in rounds:
        cells = [f"{took:6.2f} s" if (took := each.back.get(column)) is not None else "   never" for column in columns]
        print(f"      {each.number:5}  {each.killed or '-':>11}  {each.promoted:12.2f} s  " + "  ".join(cells) + f"  {each.silence:10.2f} s",
              flush=True)


def deliveries(receiver: Receiver, ledger: Ledger) -> str:
    """Every stored version of a path with a webhook came at least once."""
    wanted = {(path, version) for path, versions in ledger.known.items() if path.startswith("load/1") for version in versions}
    per_path = {path: sum(1 for each, _ in wanted if each == path) for path, _ in wanted}

    def missing() -> dict[str, int]:
        with receiver.changed:
            unique = {(event, path) for event, _, path, _ in receiver.came}
        got = {path: sum(1 for _, each in unique if each == path) for path in per_path}
        return {path: number - got[path] for path, number in per_path.items() if got[path] < number}

    # What failed while everything was down is sent again after ten seconds; a dead node's work is taken over after thirty.
    until(lambda: not missing(), 45, 0.3)
    expect(not missing(), f"deliveries that never came: {missing()}")
    with receiver.changed:
        events = [event for event, _, _, _ in receiver.came]
    return f"{len(set(events))} webhook events delivered, {len(events) - len(set(events))} of them more than once"


def run(tally: Tally, arguments: argparse.Namespace, directory: pathlib.Path) -> None:
    ledger, rounds = Ledger(), []
    with Cluster("first") as first, contextlib.ExitStack() as cleaning:
        old, new = first, first.make_standby("second")
        first.make_application()
        site = Site(directory, url_of([old, new], "scaivault", "scaivault"))
        nodes = [site.node("a", NODE_ID="a"), site.node("b", NODE_ID="b")]
        cleaning.enter_context(running(nodes))
        client = nodes[0].client(timeout=60)
        receiver = Receiver()
        receiver.hook(client, ["secret.created", "secret.updated"], "load/1")
        listening = Listening(nodes, site.token, ["load/**", "rotating/**"], ["secret.created", "secret.updated"])
        begun = time.monotonic()
        rotations = Rotations(client, "rotating", ROTATING, SPREAD)
        load = Load(ledger, nodes, site.token)
        names = [f"standby_{number}" for number in range(arguments.rounds)]
        # The last failover comes when rotations are due; those before it are spread over the time until then.
        last = max(arguments.seconds - 6, time.monotonic() - begun + 5)
        start = time.monotonic() - begun + 3
        for number in range(1, arguments.rounds + 1):
            at = last if number == arguments.rounds else start + (last - start) * (number - 1) / arguments.rounds
            time.sleep(max(0.0, begun + at - time.monotonic()))
            with tally.check(f"round {number}: the primary dies and the standby is promoted under load"):
                rounds.append(Round(number))
                one_round(rounds[-1], old, new, nodes, ledger)
            if number < arguments.rounds:
                old, new = new, stand_in(new, names[number], old.port)
        time.sleep(max(2.0, begun + arguments.seconds - time.monotonic()))
        load.end()
        site_checks(tally, site, nodes, ledger, rotations, receiver, listening)
    table(rounds, [node.name for node in nodes])
    print(f"      failures of clients meanwhile: {ledger.failures_shown()}", flush=True)


def site_checks(tally: Tally, site: Site, nodes: list[Node], ledger: Ledger, rotations: Rotations, receiver: Receiver,
                listening: Listening) -> None:
    client = nodes[1].client(timeout=120)
    with tally.check("nothing acknowledged is lost or there twice, nothing disclosed is unaudited"):
        print(f"      {compare(nodes[0], site.token, ledger)}", flush=True)
        expect(ledger.total["write"] > 100 and ledger.total["read"] > 100, f"too little was done: {ledger.total}")
    with tally.check("each rotation was done once"):
        eventually("all rotations are done", lambda: rotations.done(client) == len(rotations.paths), 40)
        print(f"      {rotations.check(client)}", flush=True)
    with tally.check("each event was told once"):
        stored = {(path, item["version"]) for path in [*ledger.sent, *rotations.paths]
                  for item in client.call("GET", f"/v1/secrets/{path}/versions").json().get("versions", [])}
        print(f"      {listening.check(client, stored)}", flush=True)
    with tally.check("each delivery was made"):
        print(f"      {deliveries(receiver, ledger)}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="failovers, one after the other (default 2)")
    parser.add_argument("--seconds", type=float, default=70, help="how long the load lasts at least (default 70)")
    arguments = parser.parse_args()
    tally = Tally()
    with scratch("failover") as directory, tally.check("a primary, a standby, two nodes"):
        run(tally, arguments, directory)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
