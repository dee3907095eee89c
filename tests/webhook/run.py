#!/usr/bin/env python3
"""Webhooks from the real server to real receivers, with signatures that verify.py checks (contract 07, cases E-3 to E-12 and E-21).

Receivers are servers of the standard library on this machine, one of them with TLS under a certificate authority of its own.
"""

import collections
import contextlib
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "page"), str(HERE)]
import verify
from harness import Client, Server, Tally, expect, expect_equal, expect_error, init, scratch

OLD, NEW = "0123456789abcdef0123456789abcdef", "a-new-secret-of-more-than-32-bytes-é"
SETTINGS = {"RATE_LIMIT_ENABLED": "false", "LOG_LEVEL": "warn", "WEBHOOK_ALLOWED_CIDRS": "127.0.0.0/8"}
PATIENCE_SECONDS = 25


class Receiver:
    """Keeps what arrived and answers as told: a status, `silence`, `endless`, or an address to go to instead."""

    def __init__(self, rest=200, script=(), tls=None):
        self.got, self.script, self.rest = [], collections.deque(script), rest
        self.changed = threading.Condition()
        self.sent = 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.changed:
                    receiver.got.append((self.path, self.headers, body, time.time()))
                    answer = receiver.script.popleft() if receiver.script else receiver.rest
                    receiver.changed.notify_all()
                with contextlib.suppress(OSError):
                    receiver.answer(self, answer)

            def log_message(self, *_):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Quiet(("127.0.0.1", 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.scheme = "https" if tls else "http"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server.server_port}/hook"

    def answer(self, request, answer):
        if answer == "silence":
            time.sleep(60)
        elif answer == "endless":
            request.send_response(200)
            request.send_header("Content-Length", str(10 << 30))
            request.end_headers()
            while True:
                request.wfile.write(b"x" * 65536)
                self.sent += 65536
        elif isinstance(answer, str):
            request.send_response(302)
            request.send_header("Location", answer)
            request.send_header("Content-Length", "0")
            request.end_headers()
        else:
            request.send_response(answer)
            request.send_header("Content-Length", "0")
            request.end_headers()

    def wait(self, count, seconds=PATIENCE_SECONDS):
        with self.changed:
            done = self.changed.wait_for(lambda: len(self.got) >= count, seconds)
        expect(done, f"{len(self.got)} deliveries came within {seconds} s, expected {count}")
        return self.got

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def check(delivery, secret, names=("X-ScaiVault-Signature",)):
    """The event of a delivery, its signature verified at the time at which it came."""
    _, headers, body, at = delivery
    return verify.verified(headers, body, secret, at, names)


def hook(client, receiver, events, **more):
    body = {"name": f"hook {time.monotonic_ns()}", "url": receiver.url, "secret": OLD, "events": events} | more
    return client.must(201, "POST", "/v1/webhooks", body)["id"]


def put(client, path):
    client.must((200, 201), "PUT", f"/v1/secrets/{path}", {"data": {"v": "CANARY-of-the-webhooks"}})


def settled(client, hook_id, status, seconds=PATIENCE_SECONDS):
    """The newest delivery, once it has a status or one more attempt behind it."""
    deadline = time.monotonic() + seconds
    while True:
        newest = client.must(200, "GET", f"/v1/webhooks/{hook_id}/deliveries?limit=1")["deliveries"]
        if newest and newest[0]["status"] == status and newest[0]["attempts"] > 0:
            return newest[0]
        expect(time.monotonic() < deadline, f"the delivery is {newest}, expected {status}")
        time.sleep(0.05)


def authority(directory):
    """A certificate authority and a certificate of it for 127.0.0.1."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
            "-days", "2", "-subj", "/CN=Test authority")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "leaf.key", "-out", "leaf.csr",
            "-subj", "/CN=127.0.0.1")
    (directory / "leaf.ext").write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "leaf.pem", "-days", "2",
            "-extfile", "leaf.ext")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(directory / "leaf.pem", directory / "leaf.key")
    return tls


def main():
    tally = Tally()
    with tally.check("E-9 the vector of the contract, and forgeries"):
        verify.self_test()
    with scratch("webhook") as place:
        data = place / "data"
        tls = authority(place)
        token = init(data, **SETTINGS)["token"]
        with Server(data, SSL_CERT_FILE=place / "ca.pem", **SETTINGS) as server:
            client = Client(server.url, token)
            run(tally, client, tls, server)
            told = server.stderr() + server.stdout()
        with tally.check("a delivery that was not made outlives kill -9"):
            restart(data, token)
        with tally.check("no secret and no value in the log"):
            for text in (OLD, NEW, "CANARY-of-the-webhooks"):
                expect(text not in told, f"the log holds {text}")
    return tally.end()


def run(tally, client, tls, server):
    plain, secure = Receiver(), Receiver(tls=tls)
    with tally.check("deliveries over HTTP and HTTPS, each signed"):
        hook(client, plain, ["secret.created"], filters={"path_prefix": "app/"})
        hook(client, secure, ["secret.created"])
        put(client, "app/db")
        put(client, "apps/db")
        for receiver, count in ((plain, 1), (secure, 2)):
            for path, headers, body, at in list(receiver.wait(count)):
                event = check((path, headers, body, at), OLD)
                expect_equal(headers["Content-Type"], "application/json", "content type")
                expect_equal(headers["User-Agent"], "ScaiVault-Webhook/1.0", "user agent")
                expect(b"CANARY" not in body, "a value left the server")
                expect_equal(body, json.dumps(event, separators=(",", ":")).encode(), "the body is compact JSON")
        time.sleep(0.5)
        expect_equal([check(one, OLD)["path"] for one in plain.got], ["app/db"], "E-12 what the prefix lets through")

    with tally.check("E-10 both secrets verify until the old one ends, then only the new"):
        receiver = Receiver()
        hook_id = hook(client, receiver, ["secret.created"], filters={"path_prefix": "rotate/"})
        put(client, "rotate/0")
        receiver.wait(1)
        check(receiver.got[0], OLD)
        client.must(200, "PATCH", f"/v1/webhooks/{hook_id}", {"secret": NEW, "previous_secret_ttl": "3s"})
        put(client, "rotate/1")
        both = receiver.wait(2)[1]
        check(both, NEW)
        check(both, OLD, ("X-ScaiVault-Signature-Previous",))
        verify.verified(both[1], both[2], OLD, both[3])
        time.sleep(3.5)
        put(client, "rotate/2")
        later = receiver.wait(3)[2]
        check(later, NEW)
        expect(later[1]["X-ScaiVault-Signature-Previous"] is None, "the old secret still signs")
        shown = client.must(200, "GET", f"/v1/webhooks/{hook_id}")
        expect_equal(shown["previous_secret_expires_at"], None, "the end of the old secret")
        client.must(200, "PATCH", f"/v1/webhooks/{hook_id}", {"secret": OLD, "previous_secret_ttl": "0s"})
        put(client, "rotate/3")
        at_once = receiver.wait(4)[3]
        check(at_once, OLD)
        expect(at_once[1]["X-ScaiVault-Signature-Previous"] is None, "0s is at once")

    with tally.check("E-3 an attempt that failed is made again, signed anew"):
        receiver = Receiver(script=[500])
        hook_id = hook(client, receiver, ["secret.created"], filters={"path_prefix": "again/"})
        put(client, "again/a")
        first, second = receiver.wait(2)
        events = [check(one, OLD) for one in (first, second)]
        expect_equal(events[0], events[1], "the event")
        pause = second[3] - first[3]
        expect(8.5 < pause < 14, f"the second attempt came after {pause:.1f} s")
        expect(first[1]["X-ScaiVault-Timestamp"] != second[1]["X-ScaiVault-Timestamp"], "the timestamp is an old one")
        expect_equal(settled(client, hook_id, "success")["attempts"], 2, "attempts")

    inside = Receiver()
    slow = [Receiver("silence"), Receiver("endless"), Receiver(inside.url), Receiver(500)]
    ids = [hook(client, receiver, ["secret.created"], filters={"path_prefix": "bad/"}) for receiver in slow]
    with tally.check("E-4 E-5 E-21 silence, 10 GB, redirects and 500 cost the server and the others nothing"):
        healthy = Receiver()
        hook(client, healthy, ["secret.created"], filters={"path_prefix": "bad/"})
        put(client, "bad/0")
        for receiver in slow:
            receiver.wait(1)
        began = time.monotonic()
        for number in range(1, 21):
            put(client, f"bad/{number}")
        healthy.wait(21, 8)
        expect(time.monotonic() - began < 8, "the healthy one waited")
        answered = time.monotonic()
        client.must(200, "GET", "/v1/health/detailed")
        expect(time.monotonic() - answered < 1, "a request waited")
        # Each attempt takes a few buffers of the 10 GB, not the 10 GB.
        expect(slow[1].sent < 21 * 32 << 20, f"{slow[1].sent >> 20} MiB of the endless answers were taken")
        resident = int(pathlib.Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        expect(resident < 400 << 20, f"{resident >> 20} MiB of memory")
        expect_equal(inside.got, [], "what the redirect led to")

    with tally.check("nothing is lost: what a bad receiver did not take comes when it is well"):
        for receiver in slow:
            receiver.rest = 200
        for receiver, hook_id in zip(slow, ids):
            wanted = {f"bad/{number}" for number in range(21)}
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline:
                counts = client.must(200, "GET", f"/v1/webhooks/{hook_id}/deliveries?limit=200")["deliveries"]
                if all(one["status"] == "success" for one in counts):
                    break
                time.sleep(0.5)
            expect(all(one["status"] == "success" for one in counts), f"still open: {counts}")
            arrived = {check(one, OLD)["path"] for one in receiver.got}
            expect_equal(arrived, wanted, "what arrived")

    with tally.check("E-6 410 switches it off"):
        receiver = Receiver(410)
        hook_id = hook(client, receiver, ["secret.created"], filters={"path_prefix": "gone/"})
        put(client, "gone/a")
        settled(client, hook_id, "failed")
        shown = client.must(200, "GET", f"/v1/webhooks/{hook_id}")
        expect_equal((shown["enabled"], shown["status"]), (False, "disabled"), "the webhook")

    with tally.check("E-7 E-8 addresses that are refused"):
        for url in ("https://169.254.169.254/", "https://[::1]/", "https://10.0.0.1/"):
            body = {"name": "n", "url": url, "secret": OLD, "events": ["*"]}
            expect_error(client.call("POST", "/v1/webhooks", body), 400, "invalid_config")
        body = {"name": "n", "url": "http://hooks.example/", "secret": OLD, "events": ["*"]}
        expect_error(client.call("POST", "/v1/webhooks", body), 422, "validation_error")

    with tally.check("a test and a redelivery are signed, too"):
        receiver = Receiver()
        hook_id = hook(client, receiver, ["webhook.test"], enabled=False)
        tested = client.must(200, "POST", f"/v1/webhooks/{hook_id}/test")
        expect_equal((tested["status"], tested["response_code"]), ("success", 200), "the test")
        expect_equal(check(receiver.wait(1)[0], OLD)["event_type"], "webhook.test", "the event")
        client.must(200, "PATCH", f"/v1/webhooks/{hook_id}", {"enabled": True})
        client.must(202, "POST", f"/v1/webhooks/{hook_id}/deliveries/{tested['delivery_id']}/redeliver")
        expect_equal(check(receiver.wait(2)[1], OLD), check(receiver.got[0], OLD), "the event of the redelivery")

    with tally.check("E-11 no answer shows a secret"):
        for target in ("/v1/webhooks", f"/v1/webhooks/{hook_id}", f"/v1/webhooks/{hook_id}/deliveries", "/v1/audit/logs?limit=1000"):
            answer = client.call("GET", target)
            expect(OLD.encode() not in answer.body and NEW.encode() not in answer.body, f"{target} shows it")


def restart(data, token):
    receiver = Receiver()
    with Server(data, **SETTINGS) as server:
        client = Client(server.url, token)
        hook(client, receiver, ["secret.created"], filters={"path_prefix": "kill/"})
        receiver.script.append(500)
        put(client, "kill/a")
        receiver.wait(1)
        settled(client, client.must(200, "GET", "/v1/webhooks?limit=200")["webhooks"][-1]["id"], "pending")
        put(client, "kill/b")
        server.kill()
    with Server(data, **SETTINGS):
        receiver.wait(3)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while {check(one, OLD)["path"] for one in receiver.got[1:]} != {"kill/a", "kill/b"}:
            expect(time.monotonic() < deadline, f"only {[one[1]['X-ScaiVault-Event-Id'] for one in receiver.got]} came")
            time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
