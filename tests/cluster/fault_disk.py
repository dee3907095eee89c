"""The database's disk is full, and then is not. Part of faults.py."""

from __future__ import annotations

import pathlib
import time

from ledger import Ledger, Load, compare
from servers import Site, Tally, expect, expect_equal, running, until

from cluster import Cluster, NotPermitted, SmallDisk

RECOVERY = 10.0


def disk(tally: Tally, directory: pathlib.Path) -> None:
    """Once with the log of changes elsewhere, where statements fail; once with it there, where PostgreSQL itself goes down."""
    for wal_apart, what in ((True, "data"), (False, "data and its log of changes")):
        name = f"disk full ({what}): 503, then normal without a restart"
        try:
            with SmallDisk(96 if wal_apart else 160) as small:
                cluster = Cluster("small", data_directory=small.data, wal_apart=wal_apart,
                                  settings={"max_wal_size": "48MB", "min_wal_size": "32MB", "shared_buffers": "16MB"})
                with cluster, tally.check(name):
                    _full(directory, cluster, small)
        except NotPermitted as why:
            print(f"skip  {name}: {why}", flush=True)


def _full(directory: pathlib.Path, cluster: Cluster, small: SmallDisk) -> None:
    cluster.make_application()
    site = Site(directory, cluster.url("scaivault", "scaivault"))
    nodes, ledger = [site.node("a"), site.node("b")], Ledger()
    with running(nodes):
        load = Load(ledger, nodes, site.token, writers=2, readers=2, pause=0.01)
        time.sleep(1)
        small.fill()
        refused = until(lambda: ledger.failures["write: 503"] > 0 and ledger.failures["read: 503"] > 0, 30, 0.1)
        expect(refused is not None, f"nothing was refused on a full disk: {dict(ledger.failures)}")
        unready = until(lambda: all(node.status("/v1/health/ready") == 503 for node in nodes), 15, 0.1)
        expect(unready is not None, "ready on a full disk")
        expect_equal([node.status("/v1/health") for node in nodes], [200, 200], "health on a full disk")
        time.sleep(2)
        small.free()
        if until(lambda: not cluster.running, 1, 0.1) is not None:
            cluster.start()
        freed = time.monotonic()
        for node in nodes:
            for action in ("write", "read"):
                back = until(lambda: ledger.first_after(freed, node.name, action) is not None, RECOVERY)
                expect(back is not None, f"{node.name} takes no {action} {RECOVERY:g} s after there was room; {ledger.failures_shown()}")
        ready = [node.wait_ready(10) for node in nodes]
        load.end()
        print(f"      refused after {refused:.1f} s, not ready after {unready:.1f} s more, ready again {max(ready):.1f} s after the first "
              f"success; {compare(nodes[0], site.token, ledger)}; failures: {ledger.failures_shown()}", flush=True)
