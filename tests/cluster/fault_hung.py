"""The database hangs: its connections stay open, new ones are taken, and nobody answers. A part of faults.py."""

from __future__ import annotations

import pathlib
import time

from ledger import Ledger, Load, compare
from servers import Node, Site, Tally, expect, expect_equal, running, until, url_of

from cluster import Cluster

# As long as that may take to be noticed; a server that is merely slow must not be given up.
PROMPT = 8.0
BACK_WITHIN = 5.0


def _back(ledger: Ledger, nodes: list[Node], since: float, patience: float) -> dict[str, float | None]:
    """When each node first answered each kind of request with success."""
    back = {}
    for node in nodes:
        for action in ("write", "read"):
            until(lambda: ledger.first_after(since, node.name, action) is not None, max(0.1, since + patience - time.monotonic()))
            took = ledger.first_after(since, node.name, action)
            back[f"{node.name} {action}"] = None if took is None else round(took, 2)
    return back


def hung(tally: Tally, directory: pathlib.Path, seconds: float) -> None:
    with Cluster("hanging") as old, old.make_standby("heir") as new:
        old.make_application()
        site = Site(directory, url_of([old, new], "scaivault", "scaivault"))
        nodes, ledger = [site.node("a"), site.node("b")], Ledger()
        with running(nodes):
            load = Load(ledger, nodes, site.token, writers=2, readers=2, timeout=90)
            time.sleep(1.5)
            with tally.check(f"database hangs for {seconds:g} s: 503 soon, then normal without a restart"):
                with old.frozen():
                    since, slowest = time.monotonic(), 0.0
                    while time.monotonic() - since < seconds:
                        expect_equal(nodes[0].status("/v1/health", 2), 200, "health")
                        began = time.monotonic()
                        status = nodes[0].status("/v1/health/ready", 60)
                        slowest = max(slowest, time.monotonic() - began)
                        expect(status == 503 or time.monotonic() - since < PROMPT, f"ready answered {status}")
                        time.sleep(0.2)
                thawed = time.monotonic()
                back = _back(ledger, nodes, thawed, 20)
                print(f"      the slowest answer of ready {slowest:.1f} s; failures: {ledger.failures_shown()}; back after {back}", flush=True)
                expect(all(took is not None and took < BACK_WITHIN for took in back.values()), f"not back soon: {back}")
                expect(slowest < PROMPT, f"ready answered after {slowest:.1f} s")
                late = {what: took for what, took in ledger.slowest_failure.items() if took > PROMPT}
                expect(not late, f"refused too late: {late}")
            with tally.check("the primary hangs and does not die, and the standby is promoted: the nodes go on there"):
                with old.frozen():
                    time.sleep(1)
                    new.promote()
                    promoted = time.monotonic()
                    back = _back(ledger, nodes, promoted, 20)
                    # For good: an old primary must not come back beside the new one.
                    old.fence()
                print(f"      back {back} s after the promotion", flush=True)
                expect(all(took is not None and took < BACK_WITHIN for took in back.values()), f"not back within {BACK_WITHIN:g} s: {back}")
            load.end()
            with tally.check("after a database that hung nothing is lost"):
                print(f"      {compare(nodes[0], site.token, ledger)}; failures: {ledger.failures_shown()}", flush=True)
