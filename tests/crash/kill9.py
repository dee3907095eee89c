#!/usr/bin/env python3
"""kill -9 under load, ten times on one data directory (contract 06, case U-4; 07, case E-2; 12 section 3, "Acknowledged = durable").

Writers and readers work on random paths until the server is killed at a random moment. After the restart:
- every version that was acknowledged, to a writer or to a reader, is there with its value;
- nothing is half there: the versions of a path are 1 to n without a gap, the metadata names n, every one can be read, and holds
  what some writer sent;
- every acknowledged read and write has exactly one audit entry (found by the answer's X-Request-ID), with its path and version;
- every stored version has exactly one audit entry of a write, and every such entry its version: change and entry are one step;
- every stored version has exactly one event in a polling subscription, whether it was acknowledged or not, and every event its
  version (contract 07, case E-2);
- `/v1/audit/verify` finds the chain whole.
In every other round the restart itself is killed first. KILL9_SEED repeats the random choices of a run (not the timing).
"""

import collections
import datetime
import http.client
import os
import pathlib
import random
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "page"))
from harness import Client, Server, Tally, expect, expect_equal, init, scratch

ROUNDS = 10
WRITERS, READERS = 6, 4
PATHS = 400
LONGEST_LOAD_SECONDS = 2.5
# The highest cap there is, never reached: a version that is pruned could not be told from one that was lost.
MAX_VERSIONS = 100
SETTINGS = {"RATE_LIMIT_ENABLED": "false", "LOG_LEVEL": "warn"}


class Ledger:
    """What the clients sent and what they were answered, over all rounds."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent = collections.defaultdict(set)  # path -> values
        self.known = collections.defaultdict(dict)  # path -> version -> value that somebody was answered
        self.stored = collections.defaultdict(set)  # path -> versions found after the last restart
        self.complaints = []
        self.total = collections.Counter()

    def begin_round(self):
        self.requests = {}  # request id -> (action, path, version)
        self.touched = set()
        self.round = collections.Counter()

    def complain(self, text):
        with self.lock:
            self.complaints.append(text)

    def sending(self, path, value):
        """False: the path has had enough."""
        with self.lock:
            if len(self.sent[path]) >= MAX_VERSIONS - 5:
                return False
            self.sent[path].add(value)
            self.touched.add(path)
            return True

    def answered(self, action, path, version, value, request_id):
        with self.lock:
            before = self.known[path].setdefault(version, value)
            if before != value:
                self.complaints.append(f"{path} version {version} was answered with two values")
            if value not in self.sent[path]:
                self.complaints.append(f"{path} version {version} holds what nobody sent")
            if request_id in self.requests:
                self.complaints.append(f"the request id {request_id} was given out twice")
            self.requests[request_id] = (action, path, version)
            self.round[action] += 1
            self.total[action] += 1

    def written_paths(self):
        with self.lock:
            return [path for path, versions in self.known.items() if versions]


class Load:
    """The clients of one round."""

    def __init__(self, url, token, ledger, seed):
        self.url, self.token, self.ledger = url, token, ledger
        self.killed = threading.Event()
        jobs = [self.write] * WRITERS + [self.read] * READERS
        self.threads = [
            threading.Thread(target=self.work, args=(job, random.Random(f"{seed} {number}")), daemon=True)
            for number, job in enumerate(jobs)
        ]
        for thread in self.threads:
            thread.start()

    def work(self, job, dice):
        client = Client(self.url, self.token, timeout=30)
        while not self.killed.is_set():
            try:
                job(client, dice)
            except (OSError, http.client.HTTPException) as error:
                # The end of the server is the end of the connection; before it no answer may fail.
                time.sleep(0.2)
                if not self.killed.is_set():
                    self.ledger.complain(f"no answer before the kill: {type(error).__name__}: {error}")
                return
            except (ValueError, KeyError) as error:
                self.ledger.complain(f"an answer can't be read: {type(error).__name__}: {error}")
                return

    def write(self, client, dice):
        path = f"crash/{dice.randrange(PATHS)}"
        value = f"{dice.getrandbits(128):032x}" + "x" * dice.choice([0, 0, 0, 500, 5000, 20000])
        if not self.ledger.sending(path, value):
            return
        answer = client.call("PUT", f"/v1/secrets/{path}", {"data": {"value": value}, "options": {"max_versions": MAX_VERSIONS}})
        if answer.status not in (200, 201):
            self.ledger.complain(f"PUT {path} answered {answer}")
            return
        self.ledger.answered("write", path, answer.json()["version"], value, answer.headers["X-Request-ID"])

    def read(self, client, dice):
        paths = self.ledger.written_paths()
        if not paths:
            time.sleep(0.005)
            return
        path = dice.choice(paths)
        answer = client.call("GET", f"/v1/secrets/{path}")
        if answer.status != 200:
            self.ledger.complain(f"GET {path} answered {answer}")
            return
        found = answer.json()
        self.ledger.answered("read", path, found["version"], found["data"]["value"], answer.headers["X-Request-ID"])

    def end(self):
        for thread in self.threads:
            thread.join(60)
            expect(not thread.is_alive(), "a client hangs after the kill")


def check_versions(client, ledger, path, read_from=1):
    """Compares what is stored with what was answered, values from version `read_from` on; answers the stored versions."""
    target = f"/v1/secrets/{path}"
    known = ledger.known.get(path, {})
    answer = client.call("GET", f"{target}/versions")
    if answer.status == 404:
        expect(not known, f"{path}: acknowledged versions {sorted(known)} and nothing is there")
        return set()
    expect_equal(answer.status, 200, f"status of the versions of {path}")
    stored = sorted(item["version"] for item in answer.json()["versions"])
    expect_equal(stored, list(range(1, len(stored) + 1)), f"versions of {path}")
    lost = sorted(set(known) - set(stored))
    expect(not lost, f"{path}: versions {lost} were acknowledged and are lost; stored are {stored}")
    current = client.must(200, "GET", f"/v1/secrets/metadata/{path}")
    expect_equal((current["current_version"], current["version_count"]), (stored[-1], len(stored)), f"metadata of {path}")
    for version in stored[read_from - 1:]:
        read = client.must(200, "GET", f"{target}?version={version}")
        value = read["data"]["value"]
        expect_equal(read["version"], version, f"version of {path}?version={version}")
        expect(value in ledger.sent[path], f"{path} version {version} holds what nobody sent")
        expect(known.get(version, value) == value, f"{path} version {version} holds another value than was acknowledged")
        ledger.known[path][version] = value
    return set(stored)


def audit_entries(client, since):
    """All entries of reads and writes from `since` on, page by page."""
    query = {"from": since, "action": "read,write", "limit": 1000}
    while True:
        page = client.must(200, "GET", "/v1/audit/logs?" + urllib.parse.urlencode(query))
        yield from page["logs"]
        if not page["has_more"]:
            return
        query["cursor"] = page["cursor"]


def check_audit(client, ledger, since, new_versions):
    found, writes = collections.Counter(), collections.Counter()
    for entry in audit_entries(client, since):
        extra, path = entry["extra_data"], entry["secret_path"]
        version = extra.get("new_version" if entry["action"] == "write" else "version")
        if entry["success"] and entry["action"] == "write":
            writes[path, version] += 1
        wanted = ledger.requests.get(entry["request_id"])
        if wanted:
            found[entry["request_id"]] += 1
            expect_equal((entry["action"], path, version, entry["success"]), (*wanted, True), f"entry of {entry['request_id']}")
    missing = [request for request in ledger.requests if not found[request]]
    expect(not missing, f"{len(missing)} acknowledged requests have no audit entry, such as {missing[0] if missing else ''} "
                        f"{ledger.requests.get(missing[0]) if missing else ''}")
    double = [request for request, number in found.items() if number > 1]
    expect(not double, f"{len(double)} acknowledged requests have several audit entries, such as {double[:1]}")
    expect_equal([key for key, number in writes.items() if number > 1], [], "versions with several write entries")
    expect(set(writes) == new_versions, "write entries and stored versions differ: entries without a version "
           f"{sorted(set(writes) - new_versions)[:5]}, versions without an entry {sorted(new_versions - set(writes))[:5]}")
    verified = client.must(200, "GET", "/v1/audit/verify")
    expect(verified["valid"], f"the audit chain is broken: {verified}")
    return len(found)


def check_events(client, subscription, new_versions):
    """Takes every event from the subscription and compares them with what was stored since they were taken last."""
    told, patience = collections.Counter(), time.monotonic() + 30
    while True:
        page = client.must(200, "GET", f"/v1/subscriptions/{subscription}/poll?timeout=1&max_events=1000")
        expect("dropped" not in page, f"the buffer lost events: {page.get('dropped')}")
        for event in page["events"]:
            version = event["data"].get("new_version", event["data"].get("version"))
            told[event["path"], version] += 1
        if page["events"]:
            ids = [event["event_id"] for event in page["events"]]
            expect_equal(ids, sorted(set(ids)), "order of the events")
            client.must(200, "POST", f"/v1/subscriptions/{subscription}/ack", {"event_ids": ids})
        elif new_versions <= set(told) or time.monotonic() > patience:
            break
    untold = sorted(new_versions - set(told))
    expect(not untold, f"{len(untold)} stored versions were not told, such as {untold[:3]}")
    unstored = sorted(set(told) - new_versions)
    expect(not unstored, f"{len(unstored)} events tell of what is not there or was told before, such as {unstored[:3]}")
    expect_equal([key for key, number in told.items() if number > 1], [], "versions that were told twice")
    return len(told)


def kill_a_restart(server, dice):
    """Starts the server and kills it before or while it recovers."""
    process = subprocess.Popen(
        server.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=server.environment,
    )
    try:
        time.sleep(dice.uniform(0, 0.3))
    finally:
        process.kill()
        process.wait()


def one_round(number, data, token, subscription, ledger, dice, seed):
    ledger.begin_round()
    server = Server(data, **SETTINGS)
    with server:
        since = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        load = Load(server.url, token, ledger, f"{seed} {number}")
        after = dice.uniform(0.1, LONGEST_LOAD_SECONDS)
        time.sleep(after)
        expect(server.process.poll() is None, f"the server ended by itself: {server.stderr()[-1000:]}")
        load.killed.set()
        server.kill()
    load.end()
    if number % 2 == 0:
        kill_a_restart(server, dice)
    with Server(data, **SETTINGS) as again:
        client = Client(again.url, token, timeout=120)
        expect_equal(client.must(200, "GET", "/v1/health/ready")["status"], "ready", "readiness")
        # The audit first: checking the versions reads, and that is audited as well.
        before = {(path, version) for path in ledger.touched for version in ledger.stored[path]}
        stored = {}
        for path in ledger.touched:
            listed = client.call("GET", f"/v1/secrets/{path}/versions")
            stored[path] = {item["version"] for item in listed.json()["versions"]} if listed.status == 200 else set()
        new_versions = {(path, version) for path, versions in stored.items() for version in versions} - before
        entries = check_audit(client, ledger, since, new_versions)
        events = check_events(client, subscription, new_versions)
        for path in ledger.touched:
            # The values of earlier rounds are read again after the last one.
            ledger.stored[path] = check_versions(client, ledger, path, read_from=len(ledger.stored[path]) + 1)
        client.must(201, "PUT", f"/v1/secrets/restarted/{number}", {"data": {}})  # It takes writes again.
        errors = [line for line in again.err if '"level":"ERROR"' in line]
        expect(not errors, f"the restarted server logged {errors[:3]}")
    complaints, ledger.complaints = ledger.complaints, []
    expect(not complaints, f"{len(complaints)} complaints of clients, such as: " + "; ".join(complaints[:3]))
    unacknowledged = len(new_versions) - ledger.round["write"]
    print(
        f"      round {number}: killed after {after:.2f} s; acknowledged {ledger.round['write']} writes, {ledger.round['read']} reads; "
        f"{entries} audit entries and {events} events found; {len(new_versions)} new versions stored, {unacknowledged} of them not acknowledged",
        flush=True,
    )


def main():
    tally, ledger = Tally(), Ledger()
    seed = os.environ.get("KILL9_SEED") or str(random.SystemRandom().randrange(1_000_000))
    dice = random.Random(seed)
    print(f"KILL9_SEED={seed}", flush=True)
    with scratch("kill9") as directory:
        data = directory / "data"
        try:
            token = init(data)["token"]
        except RuntimeError as error:
            print(f"FAIL  {error}")
            tally.failed += 1
            return tally.end()
        with Server(data, **SETTINGS) as server:
            wish = {"name": "crash", "paths": ["crash/**"], "events": ["secret.created", "secret.updated"],
                    "delivery": {"type": "polling", "buffer_size": 100_000}}
            subscription = Client(server.url, token).must(201, "POST", "/v1/subscriptions", wish)["id"]
        for number in range(1, ROUNDS + 1):
            with tally.check(f"U-4 kill -9 under load, round {number}"):
                one_round(number, data, token, subscription, ledger, dice, seed)
                if number == ROUNDS:
                    with Server(data, **SETTINGS) as server:
                        client = Client(server.url, token, timeout=120)
                        for path in sorted(ledger.sent):
                            check_versions(client, ledger, path)
                        verified = client.must(200, "GET", "/v1/audit/verify")
                        expect(verified["valid"], f"the audit chain is broken: {verified}")
                        print(f"      in the end {sum(map(len, ledger.known.values()))} versions of {len(ledger.known)} paths are whole; "
                              f"{verified['entries']} audit entries verified", flush=True)
                        expect(ledger.total["write"] > 100 and ledger.total["read"] > 100, f"too little was done: {ledger.total}")
    print(f"      acknowledged in all: {ledger.total['write']} writes, {ledger.total['read']} reads", flush=True)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
