#!/usr/bin/env python3
"""What a node must survive on PostgreSQL, each against real servers, and everything that was acknowledged counted (`ledger.py`).

  faults.py [--gone 10] [--long] [part ...]     parts: gone hung slow commits feed jobs clocks disk; all of them unless some are named

gone (Y-10): the database is killed and away for `--gone` seconds. hung: it takes connections and answers nothing, and so does a primary whose
standby is promoted. slow: each of its answers takes 500 ms more. commits: connections are cut between COMMIT and its answer. feed: a
node hears nothing of what others change. jobs: a node dies with jobs in its hands. clocks: the nodes' clocks differ by half a minute.
disk: the database's disk is full.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import fault_jobs
import fault_network
from fault_disk import disk
from fault_hung import hung
from servers import Tally, scratch

from cluster import Cluster

PARTS = ("jobs", "clocks", "gone", "hung", "slow", "commits", "feed", "disk")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gone", type=float, default=10, help="seconds that the database is away (default 10)")
    parser.add_argument("--long", action="store_true", help="every variant of each fault, and the database away for 30 s at least")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="part", help="only these")
    arguments = parser.parse_args()
    wanted = set(arguments.parts or PARTS)
    tally, began = Tally(), time.monotonic()
    with scratch("faults") as directory, Cluster() as primary:
        primary.make_application()
        # Secrets rotate a minute after they were written: they are written first and rotate last.
        waiting = fault_jobs.prepare(tally, directory, primary) if "jobs" in wanted else None
        if "gone" in wanted:
            fault_network.gone(tally, directory, primary, max(arguments.gone, 30) if arguments.long else arguments.gone)
        if "hung" in wanted:
            hung(tally, directory, 30 if arguments.long else 8)
        if "commits" in wanted:
            fault_network.commits(tally, directory, primary, arguments.long)
        if "clocks" in wanted:
            fault_jobs.clocks(tally, directory, primary)
        if "feed" in wanted:
            fault_network.feed(tally, directory, primary)
        # These two mostly wait, for a lease to end and for a slow database: together.
        waiter = threading.Thread(target=fault_jobs.jobs, args=(tally, primary, *waiting)) if waiting is not None else None
        if waiter is not None:
            waiter.start()
        if "slow" in wanted:
            fault_network.slow(tally, directory, primary, 60)
        if waiter is not None:
            waiter.join()
        if "disk" in wanted:
            disk(tally, directory)
    print(f"{time.monotonic() - began:.0f} s", flush=True)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
