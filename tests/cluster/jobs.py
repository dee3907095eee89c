"""Jobs that nodes share, for tests: rotations that fall due, deliveries to a receiver, events of a subscription; and how often each was done."""

from __future__ import annotations

import collections
import contextlib
import datetime
import http.server
import json
import threading
import time

from ledger import pages
from servers import NO_ANSWER, Client, Node, expect, expect_equal

# The shortest that there is (contract 04 section 1).
INTERVAL = 60
SIGNING = "0123456789abcdef0123456789abcdef"


def seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Receiver:
    """Takes webhooks and notes which event came when; answers after `hold` seconds with `status`."""

    def __init__(self, hold: float = 0.0, status: int = 200) -> None:
        self.hold, self.status = hold, status
        self.came: list[tuple[str, str, str, float]] = []  # event id, event type, path, monotonic time
        self.changed = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hold, status = receiver.hold, receiver.status
                with receiver.changed:
                    receiver.came.append((event["event_id"], event["event_type"], event.get("path", ""), time.monotonic()))
                    receiver.changed.notify_all()
                time.sleep(hold)
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_: object) -> None:
                pass

        self.server = Quiet(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def hook(self, client: Client, events: list[str], prefix: str) -> str:
        """Makes a webhook to it; answers its id."""
        body = {"name": f"hook {time.monotonic_ns()}", "url": self.url, "secret": SIGNING, "events": events,
                "filters": {"path_prefix": prefix}}
        return client.must(201, "POST", "/v1/webhooks", body)["id"]

    def wait(self, count: int, patience: float) -> None:
        with self.changed:
            done = self.changed.wait_for(lambda: len(self.came) >= count, patience)
        expect(done, f"{len(self.came)} deliveries came within {patience:g} s, expected {count}")

    def paths(self) -> collections.Counter[str]:
        with self.changed:
            return collections.Counter(path for _, _, path, _ in self.came)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Rotations:
    """Secrets that rotate by themselves each minute, the first of them a minute after it was written."""

    def __init__(self, client: Client, prefix: str, count: int, spread: float, *, grace: str = "0s") -> None:
        self.prefix, self.policy = prefix, f"rot_{prefix}"
        wish = {"name": prefix, "interval": f"{INTERVAL}s", "auto_generate": True, "grace_period": grace}
        client.must(201, "POST", "/v1/rotation/policies", wish)
        self.paths = [f"{prefix}/{number}" for number in range(count)]
        began = time.monotonic()
        for number, path in enumerate(self.paths):
            time.sleep(max(0.0, began + spread * number / count - time.monotonic()))
            body = {"data": {"password": f"first-{number}"}, "options": {"rotation_policy_id": self.policy, "max_versions": 100}}
            client.must(201, "PUT", f"/v1/secrets/{path}", body)
        self.first_due, self.last_due = began + INTERVAL, time.monotonic() + INTERVAL
        self.database_due = [
            seconds(client.must(200, "GET", f"/v1/secrets/metadata/{path}")["rotation_policy"]["next_rotation"]) for path in self.paths
        ]

    def wait_until_due(self, before: float = 0.0) -> None:
        """Until the first falls due, less some time."""
        time.sleep(max(0.0, self.first_due - before - time.monotonic()))

    def done(self, client: Client) -> int:
        """How many have rotated at least once."""
        history = pages(client, f"/v1/rotation/policies/{self.policy}/history?status=success&limit=200", "data")
        return len({item["secret_path"] for item in history})

    def check(self, client: Client, cycles: int | None = None) -> str:
        """Each rotation wrote one version, has one item in the history and one audit entry, and none came before its time.

        `cycles`: how often each has rotated; None: as often as there was time for.
        """
        history = collections.Counter()
        for item in pages(client, f"/v1/rotation/policies/{self.policy}/history?limit=200", "data"):
            expect_equal(item["status"], "success", f"a rotation of {item['secret_path']} ({item['error']})")
            history[item["secret_path"], item["new_version"]] += 1
        entries = collections.Counter(
            entry["secret_path"] for entry in pages(client, "/v1/audit/logs?action=rotate&limit=1000", "logs")
            if entry["success"] and entry["secret_path"] in set(self.paths)
        )
        late, total = 0.0, 0
        for path in self.paths:
            versions = sorted(client.must(200, "GET", f"/v1/secrets/{path}/versions")["versions"], key=lambda item: item["version"])
            expect_equal([item["version"] for item in versions], list(range(1, len(versions) + 1)), f"versions of {path}")
            made = {version: number for (where, version), number in history.items() if where == path}
            expect_equal(made, {version: 1 for version in range(2, len(versions) + 1)}, f"history of {path}")
            expect_equal(entries[path], len(versions) - 1, f"audit entries of rotations of {path}")
            for earlier, later in zip(versions, versions[1:]):
                expect_equal(later["created_by"], "system:rotation-scheduler", f"who wrote {path} version {later['version']}")
                apart = seconds(later["created_at"]) - seconds(earlier["created_at"])
                # Both times are whole seconds.
                expect(apart >= INTERVAL - 1, f"{path} rotated twice within {apart:g} s")
                late = max(late, apart - INTERVAL)
            if cycles is not None:
                expect_equal(len(versions) - 1, cycles, f"rotations of {path}")
            total += len(versions) - 1
        expect(total > 0, "nothing rotated")
        return f"{total} rotations of {len(self.paths)} secrets, each once; the latest {late:.0f} s after its time"


class Listening:
    """A polling subscription, and a follower that asks the nodes in turn for what came after the last event it has."""

    def __init__(self, nodes: list[Node], token: str, paths: list[str], events: list[str]) -> None:
        self.nodes, self.token = nodes, token
        wish = {"name": f"all {time.monotonic_ns()}", "paths": paths, "events": events,
                "delivery": {"type": "polling", "buffer_size": 100_000}}
        self.id = nodes[0].client().must(201, "POST", "/v1/subscriptions", wish)["id"]
        self.followed: list[str] = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    def _follow(self) -> None:
        clients, turn = [Client(node.address, self.token, 15) for node in self.nodes], 0
        while not self.over.is_set():
            turn += 1
            since = f"&since_event_id={self.followed[-1]}" if self.followed else ""
            try:
                answer = clients[turn % len(clients)].call("GET", f"/v1/subscriptions/{self.id}/poll?timeout=0&max_events=1000{since}")
            except NO_ANSWER:
                answer = None
            found = answer.json()["events"] if answer is not None and answer.status == 200 else []
            self.followed += [event["event_id"] for event in found]
            self.over.wait(0.02 if found else 0.1)

    def take(self, client: Client) -> list[dict]:
        """Every event, oldest first; acknowledges them."""
        taken: list[dict] = []
        while True:
            page = client.must(200, "GET", f"/v1/subscriptions/{self.id}/poll?timeout=0&max_events=1000")
            expect("dropped" not in page, f"the buffer lost events: {page.get('dropped')}")
            if not page["events"]:
                return taken
            taken += page["events"]
            client.must(200, "POST", f"/v1/subscriptions/{self.id}/ack", {"event_ids": [event["event_id"] for event in page["events"]]})

    def check(self, client: Client, stored: set[tuple[str, int]]) -> str:
        """Each stored version was told once, and the follower missed nothing."""
        time.sleep(1.5)
        self.over.set()
        self.thread.join(30)
        events = self.take(client)
        told = collections.Counter(
            (event["path"], event["data"].get("new_version", event["data"].get("version"))) for event in events
            if event["event_type"] in ("secret.created", "secret.updated")
        )
        expect_equal([key for key, number in told.items() if number > 1][:5], [], "versions that were told twice")
        expect(set(told) == stored, f"stored and not told: {sorted(stored - set(told))[:5]}, told and not stored: "
                                    f"{sorted(set(told) - stored)[:5]}")
        ids = [event["event_id"] for event in events]
        expect_equal(len(set(ids)), len(ids), "different ids of events")
        missed = [each for each in ids if each not in set(self.followed)]
        expect(not missed, f"who followed by since_event_id missed {len(missed)} of {len(ids)} events, such as {missed[:3]}")
        expect_equal(len(self.followed), len(set(self.followed)), "events that the follower got")
        return f"{len(ids)} events, each told once, none missed by a follower"
