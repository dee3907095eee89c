#!/usr/bin/env python3
"""Proves what `tests/cluster` gives to other tests, with real servers: a test that stands on a helper which does nothing proves nothing.

Takes under a minute, and fails if a process, a directory, a mount or shared memory is left behind.
"""

import contextlib
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

sys.dont_write_bytecode = True
TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "page")]
from cluster import (
    Cluster, Cut, NotPermitted, PgBouncer, Proxy, Refused, SmallDisk, SqlError, TlsFiles, eventually, failover, psql, url_of,
)
from cluster.programs import scratch_parent
from harness import Tally, expect, expect_equal

# Every process that is started from here carries it, or lives in a directory whose name has it.
MARK = f"scaivault-selftest-{secrets.token_hex(4)}"
IMPORT = f"import sys; sys.dont_write_bytecode = True; sys.path.insert(0, {str(TESTS)!r})"
SLEEPER = f"{IMPORT}; from cluster import psql; psql(sys.argv[1], 'SELECT pg_sleep(60)', 70)"
TABLE = "CREATE TABLE thing (id int PRIMARY KEY)"


def fails(address: str, statements: str = "SELECT 1", seconds: float = 30) -> SqlError:
    try:
        answer = psql(address, statements, seconds)
    except SqlError as error:
        return error
    raise AssertionError(f"answered {answer!r}, expected an error")


def insert(number: int) -> str:
    """In a transaction of its own, each statement sent by itself."""
    return f"BEGIN;\nINSERT INTO thing VALUES ({number});\nCOMMIT;\n"


def things(cluster: Cluster) -> list[str]:
    return cluster.psql("SELECT id FROM thing ORDER BY id").split()


def starting_and_stopping(tally: Tally, primary: Cluster) -> None:
    with tally.check("a cluster is durable, keeps what it was given over stop, kill -9 and restart, and runs once"):
        expect_equal(primary.psql("SHOW fsync; SHOW synchronous_commit; SHOW full_page_writes").split(), ["on"] * 3, "settings")
        expect_equal(primary.psql("SHOW server_encoding; SHOW lc_collate").split(), ["UTF8", "C.UTF-8"], "text")
        primary.psql(TABLE)
        primary.psql(insert(1))
        for mode in ("smart", "fast", "immediate", "kill -9"):
            primary.kill9() if mode == "kill -9" else primary.stop(mode)
            primary.start()
            expect_equal(things(primary), ["1"], f"rows after {mode}")
        expect("not properly shut down" in primary.log(), "the kill was no crash")
        primary.stop()
        expect(not primary.running, "runs after it was stopped")
        fails(primary.url())
        primary.start()
        primary.configure(work_mem="5MB")
        expect_equal(primary.psql("SHOW work_mem"), "5MB", "a changed setting")
    with tally.check("a cluster that does not start says why"):
        primary.stop()
        primary.settings["shared_buffers"] = "nonsense"
        try:
            primary.start()
            raise AssertionError("it started")
        except Refused as error:
            expect("shared_buffers" in str(error), f"says only: {error}")
        primary.settings["shared_buffers"] = "64MB"
        primary.start()


def rights(tally: Tally, primary: Cluster) -> None:
    with tally.check("SCRAM: the right password is taken, a wrong one and none are refused"):
        address = primary.make_application()
        expect_equal(psql(address, "SELECT current_user, current_database()"), "scaivault|scaivault", "who is there")
        stored = primary.psql("SELECT left(rolpassword, 13) FROM pg_authid WHERE rolname = 'scaivault'")
        expect_equal(stored, "SCRAM-SHA-256", "the stored password")
        for password in ("wrong", ""):
            said = str(fails(primary.url("scaivault", "scaivault", password=password)))
            expect("password authentication failed" in said or "no password supplied" in said, f"said {said}")
    with tally.check("the application's role may make schemas in its database, and nothing else"):
        psql(address, "CREATE SCHEMA mine; CREATE TABLE mine.t (i int); INSERT INTO mine.t VALUES (1)")
        for statement in ("CREATE TABLE public.t (i int)", "CREATE DATABASE other", "CREATE ROLE other", "SELECT * FROM pg_authid"):
            expect_equal(fails(address, statement).sqlstate, "42501", f"error of {statement}")
        expect("permission denied" in str(fails(primary.url("scaivault", "postgres"))), "it gets into another database")


def pooling(tally: Tally, primary: Cluster) -> None:
    name = "PgBouncer: a session keeps its server, passwords are checked, it comes back after a kill"
    with tally.check(name), PgBouncer(primary) as bouncer:
        address = bouncer.url("scaivault", "scaivault")
        expect_equal(psql(address, "SET work_mem = '7MB'; SHOW work_mem"), "7MB", "a session's setting")
        expect_equal(psql(address, "SHOW work_mem"), "5MB", "the next session's setting")
        expect("failed" in str(fails(bouncer.url("scaivault", "scaivault", password="wrong"))), "a wrong password is taken")
        primary.make_role("later")
        bouncer.read_roles()
        eventually("it knows a later role", lambda: "authentication" not in str(fails(bouncer.url("later", "nowhere"))))
        bouncer.kill9()
        fails(address)
        bouncer.start()
        expect_equal(psql(address, "SELECT 1"), "1", "an answer after its restart")


def timed(address: str, statements: str = "SELECT 1") -> float:
    began = time.monotonic()
    psql(address, statements)
    return time.monotonic() - began


def network(tally: Tally, primary: Cluster) -> None:
    with Proxy(primary.port) as proxy:
        address = primary.url(port=proxy.port, sslmode="disable")
        with tally.check("proxy: passes, refuses, cuts, and lets a frozen server be seen as one"):
            expect_equal(len(psql(address, "SELECT repeat('x', 3000000)")), 3_000_000, "bytes that came through")
            eventually("no connection", lambda: proxy.connections == 0)
            with sleeper(address) as first:
                sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
                eventually("a client sleeps", lambda: primary.psql(sleeping) == "1")
                expect_equal(proxy.connections, 1, "connections")
                proxy.refuse()
                expect("refused" in str(fails(address)), "a new connection was taken")
                expect(first.poll() is None, "an old connection is gone")
                proxy.accept()
                proxy.cut()
                expect(first.wait(5) != 0, "a connection was cut and its client did not notice")
            expect_equal(psql(address, "SELECT 1"), "1", "an answer after the cut")
            with primary.frozen(), socket.create_connection(("127.0.0.1", primary.port)) as mute:
                mute.settimeout(0.3)
                mute.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")
                with contextlib.suppress(TimeoutError):
                    raise AssertionError(f"a frozen server answered {mute.recv(1)!r}")
        with tally.check("proxy: delays each direction by itself"):
            for to_server, to_client in ((0.2, 0.0), (0.0, 0.2), (0.1, 0.1)):
                proxy.delay(to_server, to_client)
                # Three turns at least: start, password, query.
                expect(timed(address) >= 0.6, f"no delay {to_server, to_client}")
            proxy.heal()
            eventually("it is quick after it was healed", lambda: timed(address) < 0.5)
        with tally.check("proxy: a black hole takes connections, answers nothing, and gives back what it held"):
            proxy.black_hole()
            expect("timeout expired" in str(fails(address + "&connect_timeout=2")), "something answered")
            answers: list[str] = []
            held = threading.Thread(target=lambda: answers.append(psql(address, "SELECT 'late'")))
            held.start()
            time.sleep(0.3)
            expect(held.is_alive() and not answers, "something passed")
            proxy.heal()
            held.join(10)
            expect_equal(answers, ["late"], "what was held back")
        eventually("no connection is left", lambda: proxy.connections == 0, 5)


def commits(tally: Tally, primary: Cluster) -> None:
    with Proxy(primary.port) as proxy:
        address = primary.url(port=proxy.port, sslmode="disable")
        primary.psql("DELETE FROM thing")
        with tally.check("cut at COMMIT: the client gets an error and the row is there, if the server got it, and else not"):
            for number, (where, there) in enumerate(((Cut.ANSWER_LOST, True), (Cut.NOT_SENT, False), (Cut.AT_ONCE, True))):
                cut = proxy.cut_at_commit(where)
                error = fails(address, insert(number))
                expect("connection" in str(error) and error.sqlstate is None, f"{where.name}: the client says {error}")
                cut.wait()
                if there:
                    eventually(f"{where.name}: the row is there", lambda: str(number) in things(primary), 5)  # noqa: B023 - asked at once
                else:
                    expect(str(number) not in things(primary), f"{where.name}: the row is there")
                expect_equal((cut.seen, cut.done), (1, 1), f"{where.name}: commits seen and cut")
                # The next one is not meant.
                psql(address, insert(100 + number))
        with tally.check("cut at the second COMMIT only, in any case, and not at what only begins like it"):
            cut = proxy.cut_at_commit(nth=2)
            psql(address, "SELECT 'COMMIT';\nBEGIN;\nINSERT INTO thing VALUES (200);\ncommit;\n")
            expect_equal((cut.seen, cut.done), (1, 0), "commits seen and cut")
            fails(address, insert(201))
            psql(address, insert(202))
            expect_equal([each for each in things(primary) if each >= "200"], ["200", "201", "202"], "rows")
        with tally.check("cut at a COMMIT that the server refuses: its error is an answer too"):
            primary.psql("CREATE TABLE strict (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
            cut = proxy.cut_at_commit()
            fails(address, "BEGIN;\nINSERT INTO strict VALUES (1), (1);\nCOMMIT;\n")
            cut.wait()
            expect_equal(primary.psql("SELECT count(*) FROM strict"), "0", "rows")


def tls(tally: Tally, primary: Cluster) -> None:
    name = "TLS: verify-full takes the right host, and refuses a wrong one, a stranger's authority and no TLS"
    with tally.check(name), TlsFiles() as files:
        def checked(authority: pathlib.Path, host: str = "localhost") -> str:
            return primary.url("scaivault", "scaivault", host=host, sslmode="verify-full", sslrootcert=str(authority))

        primary.use_tls(files.server)
        expect_equal(psql(checked(files.authority), "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), "t", "TLS")
        for address, words in (
            (checked(files.authority, "127.0.0.1"), "does not match host name"), (checked(files.stranger), "certificate verify failed"),
            (primary.url("scaivault", "scaivault", sslmode="disable"), "no encryption"),
        ):
            said = str(fails(address))
            expect(words in said, f"said {said}, expected {words}")
        primary.use_tls(files.wrong_host)
        expect("does not match host name" in str(fails(checked(files.authority))), "a wrong host's certificate is taken")
        with Proxy(primary.port) as proxy:
            cut = proxy.cut_at_commit()
            psql(primary.url(port=proxy.port, sslmode="require"), insert(300))
            expect_equal(cut.seen, 0, "commits seen through TLS")


def failing_over(tally: Tally, primary: Cluster) -> None:
    with tally.check("a synchronous standby holds commits back while it is away, and keeps every committed row when it takes over"):
        with primary.make_standby("second") as second, primary.make_standby("third", synchronous=False):
            expect_equal((primary.sync_state("second"), primary.sync_state("third")), ("sync", "async"), "states")
            expect_equal(second.psql("SELECT pg_is_in_recovery()"), "t", "the standby follows")
            expect_equal(fails(second.url(), insert(400)).sqlstate, "25006", "error of a write to the standby")
            application = url_of([second, primary], "scaivault", "scaivault")
            expect_equal(psql(application, "SHOW port"), str(primary.port), "where writes go")
            second.stop()
            waiting = threading.Thread(target=primary.psql, args=(insert(401),))
            waiting.start()
            waiting.join(0.5)
            expect(waiting.is_alive(), "a commit did not wait for its standby")
            second.start()
            waiting.join(15)
            expect(not waiting.is_alive(), "a commit still waits")
            primary.psql(insert(402))
            failover(primary, second)
            expect(not primary.running, "the old primary runs")
            with contextlib.suppress(Refused):
                primary.start()
                raise AssertionError("the old primary came back")
            rows = things(second)
            expect("401" in rows and "402" in rows and "400" not in rows, f"rows after the failover: {rows}")
            second.psql(insert(403))
            expect_equal(psql(application, "SHOW port"), str(second.port), "where writes go now")


def full_disk(tally: Tally) -> None:
    name = "a full disk: statements fail while the server runs on, and go through once there is room"
    try:
        with SmallDisk(72) as disk:
            with tally.check(name), Cluster("small", data_directory=disk.data, wal_apart=True) as cluster:
                cluster.psql("CREATE TABLE big (filler text)")
                add = "INSERT INTO big SELECT repeat(md5(i::text), 40) FROM generate_series(1, 2000) AS i"
                disk.fill()
                expect_equal(fails(cluster.url(), add).sqlstate, "53100", "error on a full disk")
                expect_equal(cluster.psql("SELECT count(*) FROM big"), "0", "rows while it is full")
                disk.free()
                cluster.psql(add)
                expect_equal(cluster.psql("SELECT count(*) FROM big"), "2000", "rows")
                expect("PANIC" not in cluster.log(), "it did not run on")
        name = "a full disk with the log of changes on it: the server crashes, and has all that was committed once there is room"
        with SmallDisk(96) as disk:
            with tally.check(name), Cluster("small", data_directory=disk.data, initdb=("--wal-segsize", "1")) as cluster:
                cluster.psql(TABLE)
                cluster.psql(insert(1))
                disk.fill()
                fails(cluster.url(), "SELECT pg_logical_emit_message(true, '', repeat('x', 1000000)) FROM generate_series(1, 100)")
                expect("PANIC" in cluster.log() and "No space left on device" in cluster.log(), f"no crash: {cluster.log_end()}")
                disk.free()
                eventually("it ends or recovers", lambda: not cluster.running or cluster.answers())
                if not cluster.running:
                    cluster.start()
                expect_equal(things(cluster), ["1"], "rows")
    except NotPermitted as why:
        print(f"skip  {name}: {why}", flush=True)


@contextlib.contextmanager
def sleeper(address: str) -> Iterator[subprocess.Popen[bytes]]:
    """A client with an open connection, in a process of its own."""
    client = subprocess.Popen([sys.executable, "-c", SLEEPER, address], stderr=subprocess.DEVNULL)
    try:
        yield client
    finally:
        client.kill()
        client.wait()


CHILD = f"""{IMPORT}
import time
from cluster import Cluster, PgBouncer, TlsFiles
cluster = Cluster("child").__enter__()
bouncer, files = PgBouncer(cluster).__enter__(), TlsFiles().__enter__()
print("up", flush=True)
if sys.argv[1] == "wait":
    time.sleep(60)
"""


def ending(tally: Tally, parent: pathlib.Path) -> None:
    for how, number in (("exits", None), ("is terminated", signal.SIGTERM), ("is killed", signal.SIGKILL)):
        with tally.check(f"a test that {how} without tidying up leaves nothing"):
            child = subprocess.Popen([sys.executable, "-c", CHILD, "wait" if number else "exit"], stdout=subprocess.PIPE, text=True)
            try:
                assert child.stdout is not None
                expect_equal(child.stdout.readline(), "up\n", "the child says")
                expect(number is None or left(parent), "the check for what is left sees nothing")
                if number is not None:
                    child.send_signal(number)
                child.wait(30)
            finally:
                child.kill()
                child.communicate()
            # The guard of a killed process works on its own time.
            eventually(f"nothing is left, but there is {left(parent)}", lambda: not left(parent), 15)


def command(tally: Tally) -> None:
    with tally.check("scripts/postgres: a command finds the server, its exit code is handed on, a signal reaches it"):
        script = TESTS.parent / "scripts" / "postgres"
        asks = (
            f"{IMPORT}; from cluster import psql; import os; url = os.environ['SCAIVAULT_TEST_POSTGRES']\n"
            "said = psql(url, 'SHOW fsync; SELECT rolsuper FROM pg_roles WHERE rolname = current_user').split()\n"
            "sys.exit(7 if said == ['off', 'f'] else 1)"
        )
        stops = "kill -TERM $PPID; exec sleep 30"
        for line, code in (([sys.executable, "-c", asks], 7), (["sh", "-c", stops], 143), (["no-such-program"], 127)):
            done = subprocess.run([script, "run", "--", *line], capture_output=True, text=True, timeout=60)
            expect_equal(done.returncode, code, f"exit code of {line[0]}: {done.stderr.strip()}")


def left(parent: pathlib.Path) -> list[str]:
    """Files below the test's directory, mounts there, and processes of this test that are not this one or its guard."""
    found = [str(path) for path in parent.iterdir()]
    found += [line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines() if MARK in line]
    ours = {os.getpid()} | {int(pid) for pid in own_guard()}
    for process in pathlib.Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) not in ours:
            with contextlib.suppress(OSError):
                told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes() + os.fsencode(os.readlink(process / "cwd"))
                if MARK.encode() in told:
                    found.append(f"process {process.name}")
    return found


def own_guard() -> list[str]:
    """The children of this process that guard it."""
    children = (process for process in pathlib.Path("/proc").iterdir() if process.name.isdigit())
    found = []
    for process in children:
        with contextlib.suppress(OSError):
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(os.getpid()) and b"undo.py" in (process / "cmdline").read_bytes():
                found.append(process.name)
    return found


def memory() -> set[str]:
    """System V shared memory without a process, by id."""
    rows = [line.split() for line in pathlib.Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return {row[1] for row in rows if row[6] == "0"}


def main() -> int:
    tally = Tally()
    parent = scratch_parent() / MARK
    parent.mkdir()
    began, orphans = time.monotonic(), memory()
    try:
        parent.chmod(0o711)
        os.environ["TMPDIR"] = tempfile.tempdir = str(parent)
        os.environ["SCAIVAULT_SELFTEST"] = MARK
        try:
            with Cluster() as primary:
                for part in (starting_and_stopping, rights, pooling, network, commits, tls, failing_over):
                    part(tally, primary)
            full_disk(tally)
        except Exception as error:  # noqa: BLE001 - a failed set-up is a failed check
            tally.failed += 1
            print(f"FAIL  {type(error).__name__}: {error}", flush=True)
        command(tally)
        ending(tally, parent)
        with tally.check("nothing is left: no process, directory, mount or shared memory"):
            expect_equal((left(parent), memory() - orphans), ([], set()), "left")
    finally:
        with contextlib.suppress(OSError):
            parent.rmdir()
    print(f"{time.monotonic() - began:.1f} s", flush=True)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
