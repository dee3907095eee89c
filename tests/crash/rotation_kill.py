#!/usr/bin/env python3
"""kill -9 while rotations fall due (contract 04, case R-6; section 3, "running a job twice writes one version").

Secrets under two policies, the shortest interval there is: one generates, one asks. From before the first warning until after the last
overdue the server is killed every few hundred milliseconds, often before it has read its own database. Then, in the first cycle:
- a secret that generates has exactly two versions, the second by the scheduler and with another value, the first retired;
- one `success` in the history, one audit entry, one `secret.updated`, `secret.rotated` and `rotation.completed` each;
- a secret that asks has one version, one `pending`, one `rotation.due` for the warning and one for the due time, one `rotation.overdue`;
- no event before its time; nothing failed; `/v1/audit/verify` finds the chain whole.
ROTATION_KILL_SEED repeats the random choices of a run (not the timing).
"""

import collections
import datetime
import os
import pathlib
import random
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "page"))
from harness import Client, Server, Tally, expect, expect_equal, init, scratch

SECRETS = 160
INTERVAL, WARNING, GRACE = 60, 10, 3
# The secrets are written over this time, and so fall due over it.
SPREAD = 8
SETTINGS = {"RATE_LIMIT_ENABLED": "false", "LOG_LEVEL": "warn"}
EVENTS = ["secret.updated", "secret.rotated", "rotation.*"]


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def prepare(data, token):
    """Answers the subscription, the paths with the time of their first version, and when the last was written."""
    with Server(data, **SETTINGS) as server:
        client = Client(server.url, token)
        common = {"interval": f"{INTERVAL}s", "warn_before": [f"{WARNING}s"]}
        client.must(201, "POST", "/v1/rotation/policies", {"name": "made", "auto_generate": True, "grace_period": "0s", **common})
        client.must(201, "POST", "/v1/rotation/policies", {"name": "asked", "grace_period": f"{GRACE}s", **common})
        wish = {"name": "all", "paths": ["**"], "events": EVENTS, "delivery": {"type": "polling", "buffer_size": 100_000}}
        subscription = client.must(201, "POST", "/v1/subscriptions", wish)["id"]
        written, began = {}, time.time()
        for number in range(SECRETS):
            time.sleep(max(0, began + SPREAD * number / SECRETS - time.time()))
            policy = "made" if number % 2 else "asked"
            body = {"data": {"password": f"first-{number}"}, "options": {"rotation_policy_id": f"rot_{policy}"}}
            answer = client.must(201, "PUT", f"/v1/secrets/{policy}/{number}", body)
            written[f"{policy}/{number}"] = answer["created_at"]
        exact = {}
        for path in written:
            exact[path] = seconds(client.must(200, "GET", f"/v1/secrets/metadata/{path}")["rotation_policy"]["next_rotation"]) - INTERVAL
        server.kill()
    return subscription, exact


def kill_again_and_again(data, until, dice):
    kills = collections.Counter()
    while time.time() < until:
        server = Server(data, **SETTINGS)
        if dice.random() < 0.3:
            # Before it listens: while it opens its database.
            process = subprocess.Popen(
                server.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=server.environment,
            )
            try:
                time.sleep(dice.uniform(0, 0.15))
            finally:
                process.kill()
                process.wait()
            kills["starting"] += 1
            continue
        with server:
            time.sleep(dice.choice([0.02, 0.05, 0.1, 0.2, 0.4, 0.8]) * dice.uniform(0.5, 1.5))
            expect(server.process.poll() is None, f"the server ended by itself: {server.stderr()[-1000:]}")
            server.kill()
        kills["running"] += 1
    return kills


def pages(client, target, key):
    cursor = None
    while True:
        page = client.must(200, "GET", target + (f"&cursor={urllib.parse.quote(cursor)}" if cursor else ""))
        yield from page[key]
        if not page["has_more"]:
            return
        cursor = page["cursor"]


def take_events(client, subscription):
    while True:
        page = client.must(200, "GET", f"/v1/subscriptions/{subscription}/poll?timeout=0&max_events=1000")
        expect("dropped" not in page, "the buffer lost events")
        yield from page["events"]
        if not page["events"]:
            return
        client.must(200, "POST", f"/v1/subscriptions/{subscription}/ack", {"event_ids": [event["event_id"] for event in page["events"]]})


def worded(event):
    return event["event_type"] + (f" {event['data']['threshold']}" if "threshold" in event["data"] else "")


def check_events(events, written):
    """Each once for each secret, and none before its time."""
    offsets = {f"rotation.due {WARNING}s": INTERVAL - WARNING, "rotation.due 0s": INTERVAL, "rotation.overdue": INTERVAL + GRACE}
    expected = collections.Counter()
    for path in written:
        made = ["secret.updated", "secret.rotated", "rotation.completed"]
        asked = ["rotation.due 0s", "rotation.overdue"]
        for name in [f"rotation.due {WARNING}s"] + (made if path.startswith("made/") else asked):
            expected[path, name] = 1
    found, late = collections.Counter(), []
    for event in events:
        name = worded(event)
        found[event["path"], name] += 1
        after = seconds(event["timestamp"]) - written[event["path"]] - offsets.get(name, INTERVAL)
        expect(after >= 0, f"{event['path']} {name} came {-after:.3f} s before its time")
        late.append(after)
    # A warning that the time between two servers swallowed is not sent after the due time: of missed ones only the latest counts.
    missing, more = expected - found, found - expected
    expect(not more, f"told twice or without a cause: {list(more.items())[:5]}")
    expect(not missing, f"not told: {list(missing)[:5]} ({len(missing)} in all)")
    return max(late)


def check_made(client, path, number):
    listed = client.must(200, "GET", f"/v1/secrets/{path}/versions")["versions"]
    expect_equal(sorted((one["version"], one["created_by"] == "system:rotation-scheduler") for one in listed), [(1, False), (2, True)],
                 f"versions of {path}")
    value = client.must(200, "GET", f"/v1/secrets/{path}")["data"]["password"]
    expect(value != f"first-{number}", f"{path} holds its first value")
    gone = client.call("GET", f"/v1/secrets/{path}?version=1")
    expect_equal((gone.status, gone.code()), (404, "version_not_found"), f"the first version of {path}")


def check_all(client, subscription, written):
    made = sorted(path for path in written if path.startswith("made/"))
    asked = sorted(path for path in written if path.startswith("asked/"))
    history = lambda policy: sorted(
        (one["secret_path"], one["status"], one["old_version"], one["new_version"])
        for one in pages(client, f"/v1/rotation/policies/rot_{policy}/history?limit=200", "data"))
    # Everything has to be told of before the next cycle begins.
    expect_equal(history("made"), [(path, "success", 1, 2) for path in made], "history of those that generate")
    expect_equal([one[:2] for one in history("asked")], [(path, "pending") for path in asked], "history of those that ask")
    late = check_events(list(take_events(client, subscription)), written)
    entries = collections.Counter(
        entry["secret_path"] for entry in pages(client, "/v1/audit/logs?action=rotate&limit=1000", "logs") if entry["success"])
    expect_equal(entries, collections.Counter(made), "audit entries of rotations")
    for path in made:
        check_made(client, path, path.split("/")[1])
    for path in asked:
        metadata = client.must(200, "GET", f"/v1/secrets/metadata/{path}")
        expect_equal((metadata["current_version"], metadata["rotation_policy"]["status"]), (1, "overdue"), f"metadata of {path}")
    jobs = client.must(200, "GET", "/v1/sys/jobs")
    expect_equal((jobs["dead"], jobs["due"]), ([], 0), "jobs that were given up or are late")
    verified = client.must(200, "GET", "/v1/audit/verify")
    expect(verified["valid"], f"the audit chain is broken: {verified}")
    return late


def main():
    tally = Tally()
    seed = os.environ.get("ROTATION_KILL_SEED") or str(random.SystemRandom().randrange(1_000_000))
    dice = random.Random(seed)
    print(f"ROTATION_KILL_SEED={seed}", flush=True)
    with scratch("rotation-kill") as directory, tally.check("R-6 kill -9 while rotations fall due: each is done once"):
        data = directory / "data"
        token = init(data)["token"]
        subscription, written = prepare(data, token)
        first, last = min(written.values()), max(written.values())
        time.sleep(max(0, first + INTERVAL - WARNING - 1 - time.time()))
        kills = kill_again_and_again(data, last + INTERVAL + GRACE + 1, dice)
        expect(kills["running"] >= 10, f"too few kills: {kills}")
        with Server(data, **SETTINGS) as server:
            client = Client(server.url, token, timeout=60)
            patience = time.time() + 8
            while client.must(200, "GET", "/v1/sys/jobs")["due"] and time.time() < patience:
                time.sleep(0.2)
            time.sleep(1)
            late = check_all(client, subscription, written)
            expect(time.time() < first + 2 * INTERVAL - WARNING, "the checks took so long that the next cycle began")
            errors = [line for line in server.err if '"level":"ERROR"' in line]
            expect(not errors, f"the restarted server logged {errors[:3]}")
        print(f"      {len(written)} secrets, killed {kills['running']} times while running and {kills['starting']} times while starting; "
              f"the latest event was {late:.1f} s after its time", flush=True)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
