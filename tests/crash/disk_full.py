#!/usr/bin/env python3
"""A full disk, and one that is freed again (contract 12 section 3; 06, case U-3).

The data directory lies on a small file system of its own. While that is full: writes and audited reads answer 503 with a reason
and no value, health 200, ready 503. Once there is room again, without a restart: ready, reads and writes work, every
acknowledged write is there, nothing that was refused is, and the audit chain is whole; and so it is after a restart.
Needs root to mount a tmpfs; says so and passes where that is not permitted.
"""

import contextlib
import os
import pathlib
import secrets
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "page"))
from harness import Client, Server, Tally, expect, expect_equal, init, scratch

DISK = "24m"
SETTINGS = {"RATE_LIMIT_ENABLED": "false", "LOG_LEVEL": "error"}
WRITERS = 4
RECOVERY_SECONDS = 15
# In every value: no answer but that of a successful read may hold it.
CANARY = f"CANARY-{secrets.token_hex(8)}"


class NotPermitted(Exception):
    pass


@contextlib.contextmanager
def small_disk(directory):
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "scaivault-disk-full", str(directory)],
        capture_output=True, text=True,
    )
    if mounted.returncode != 0:
        raise NotPermitted(mounted.stderr.strip())
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=False)


def fill(ballast):
    """Takes what is left of the disk, to the last block."""
    with open(ballast, "ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size):
                    pass


class Ledger:
    """What was acknowledged, and what was refused."""

    def __init__(self):
        self.lock = threading.Lock()
        self.kept, self.refused = {}, set()

    def put(self, client, path, size):
        """Answers the status; notes it."""
        value = f"{CANARY}-{secrets.token_hex(8)}" + "x" * size
        answer = client.call("PUT", f"/v1/secrets/{path}", {"data": {"value": value}})
        with self.lock:
            if answer.status == 201:
                self.kept[path] = value
            else:
                self.refused.add(path)
        if answer.status != 201:
            refused(answer, f"PUT {path}", {"audit", "storage"})
        return answer.status


def refused(answer, what, reasons):
    expect_equal((answer.status, answer.code()), (503, "service_unavailable"), f"answer to {what}: {answer}")
    reason = answer.json()["error"]["details"]["reason"]
    expect(reason in reasons, f"{what}: reason {reason!r}, expected one of {sorted(reasons)}")
    expect(CANARY.encode() not in answer.body, f"{what} was refused and shows a value")
    expect(answer.headers["Retry-After"], f"{what}: no Retry-After")


def write_until_full(server, token, ledger, round_number):
    """Several writers at once, until each was refused twice in a row."""
    failures = []

    def work(number):
        try:
            client = Client(server.url, token, timeout=60)
            last, count = 201, 0
            while True:
                status = ledger.put(client, f"full/{round_number}/{number}/{count}", 20_000 if count % 2 else 100)
                if status == last == 503:
                    return
                last, count = status, count + 1
                expect(count < 20_000, "the disk does not get full")
        except Exception as error:  # noqa: BLE001 - told by the thread that waits
            failures.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        expect(not thread.is_alive(), "a writer hangs")
    expect(not failures, "; ".join(failures))


def until_refused(ballast, call):
    """The log may have room for a few small entries yet, and each answer takes some of it: asks until none is left."""
    for _ in range(20_000):
        fill(ballast)
        answer = call()
        if answer.status == 503:
            return answer
    raise AssertionError(f"the disk is full and the answer is still {answer}")


def while_full(server, token, ledger, ballast, round_number):
    client = Client(server.url, token, timeout=60)
    path = next(iter(ledger.kept))

    def read(headers):
        answer = client.call("GET", f"/v1/secrets/{path}", headers=headers)
        if answer.status == 200:
            expect_equal(answer.json()["data"]["value"], ledger.kept[path], f"value of {path}")
        return answer

    for headers in ({}, {"Cache-Control": "no-cache"}):
        refused(until_refused(ballast, lambda: read(headers)), f"GET {path}", {"audit"})
    refused(until_refused(ballast, lambda: client.call("GET", "/v1/secrets")), "the list", {"audit"})
    count = 0
    while ledger.put(client, f"full/last/{round_number}/{count}", 100) != 503:
        fill(ballast)
        count += 1
        expect(count < 1000, "writes are acknowledged on a full disk")

    def probe():
        # The probe's own write is smaller than an entry and may fit once more; a refused read makes it try again.
        until_refused(ballast, lambda: read({}))
        return client.call("GET", "/v1/health/ready")

    ready = until_refused(ballast, probe)
    expect_equal((ready.json()["status"], ready.json()["checks"]["audit"]), ("not_ready", "error"), "readiness")
    client.must(200, "GET", "/v1/health")


def all_is_whole(client, ledger):
    for path, value in ledger.kept.items():
        read = client.must(200, "GET", f"/v1/secrets/{path}", headers={"Cache-Control": "no-cache"})
        expect_equal((read["version"], read["data"]["value"]), (1, value), path)
    for path in ledger.refused:
        answer = client.call("GET", f"/v1/secrets/{path}")
        expect_equal((answer.status, answer.code()), (404, "secret_not_found"), f"{path}, whose write was refused")
    verified = client.must(200, "GET", "/v1/audit/verify")
    expect(verified["valid"], f"the audit chain is broken: {verified}")
    return verified["entries"]


def recovers(server, token, ledger, ballast, round_number):
    ballast.unlink()
    freed = time.monotonic()
    client = Client(server.url, token, timeout=60)
    while client.call("GET", "/v1/health/ready").status != 200:
        expect(time.monotonic() - freed < RECOVERY_SECONDS, "not ready again")
        time.sleep(0.1)
    expect(server.process.poll() is None, "the server ended")
    expect_equal(ledger.put(client, f"freed/{round_number}", 100), 201, "a write once there is room again")
    print(f"      ready {time.monotonic() - freed:.2f} s after there was room; {len(ledger.kept)} writes acknowledged, "
          f"{len(ledger.refused)} refused, {all_is_whole(client, ledger)} audit entries verified", flush=True)


def run(tally, disk):
    data, ballast, ledger = disk / "data", disk / "ballast", Ledger()
    token = init(data)["token"]
    with Server(data, **SETTINGS) as server:
        with tally.check("the disk gets full under load: 503, and never an acknowledged write that is not there"):
            write_until_full(server, token, ledger, 1)
        with tally.check("full disk: writes and audited reads 503 without a value, health 200, ready 503"):
            while_full(server, token, ledger, ballast, 1)
        ballast.touch()
        # What the writers filled stays; the room for what follows is the ballast's and a larger disk.
        subprocess.run(["mount", "-o", "remount,size=48m", str(disk)], check=True)
        with tally.check("room again: everything works without a restart"):
            recovers(server, token, ledger, ballast, 1)
        with tally.check("and a second time, filled by somebody else at once"):
            fill(ballast)
            while_full(server, token, ledger, ballast, 2)
            recovers(server, token, ledger, ballast, 2)
        expect_equal(server.terminate(), 0, "exit code")
    with tally.check("after a restart all of it is there"):
        with Server(data, **SETTINGS) as server:
            all_is_whole(Client(server.url, token, timeout=60), ledger)
            expect_equal(server.terminate(), 0, "exit code")
        leaks = [line for line in server.err if CANARY in line]
        expect(not leaks, "the log shows a value")


def main():
    tally = Tally()
    with scratch("disk-full") as directory:
        try:
            with small_disk(directory):
                run(tally, directory)
        except NotPermitted as error:
            print(f"skip  full disk: no small file system can be mounted here (needs root): {error}", flush=True)
            return 0
        except Exception as error:  # noqa: BLE001 - a failed set-up is a failed check
            tally.failed += 1
            print(f"FAIL  {type(error).__name__}: {error}", flush=True)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
