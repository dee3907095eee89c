#!/usr/bin/env python3
"""What an operator meets: the first start and its commands to paste, later starts, a second server, signals, file modes, a
wrong root key, bad settings. Against the real binary; the first start is `cargo run -- server` unless SCAIVAULT_BIN is set.

Cases of the contract: 02 section 8 (first start), Y-1 (sealed), Y-2 (wrong root key), Y-11 (second server), Y-13 (bad settings).
"""

import os
import pathlib
import re
import socket
import stat
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import START_SECONDS, Client, Server, Tally, binary, clean_environment, expect, expect_equal, expect_error, init, scratch

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKEN = re.compile(r"skt_[0-9A-Za-z]{49}")
CARGO_SECONDS = 900  # It may have to wait for another build.


def commands(stdout):
    """The lines to paste: the export and the three commands after it."""
    lines = stdout.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith("export SCAIVAULT_TOKEN=")), None)
    expect(start is not None, f"no `export SCAIVAULT_TOKEN=` among the lines of the first start:\n{stdout}")
    pasted = lines[start:start + 4]
    expect(len(pasted) == 4 and all(line.startswith("curl ") for line in pasted[1:]), f"not three curl commands after it: {pasted}")
    return pasted


def paste(lines):
    """Bash as at a terminal: line by line from standard input. Answers what each curl printed."""
    script = "".join(line + '\necho "--$?"\n' for line in lines)
    done = subprocess.run(["bash", "--norc"], input=script, env=clean_environment(), capture_output=True, text=True, timeout=60)
    return [part.strip() for part in re.split(r"--0\n", done.stdout)], done


def stays_out(command, what, **environment):
    """Runs a server that must not start; its exit code and standard error."""
    try:
        done = subprocess.run(command, env=clean_environment(**environment), capture_output=True, text=True, timeout=START_SECONDS)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{what}: the server started") from None
    expect(done.returncode not in (0, -6, -11, 101), f"{what}: exit code {done.returncode}: {done.stderr}")
    expect("listening on" not in done.stdout, f"{what}: it listened")
    return done


def modes(data_dir):
    """Whatever under the data directory is open to others."""
    open_ones = []
    for path in [data_dir, *data_dir.rglob("*")]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode != (0o700 if path.is_dir() else 0o600):
            open_ones.append(f"{path.relative_to(data_dir.parent)} {mode:o}")
    return open_ones


def first_start(tally, directory):
    data, token = directory / "first", None
    with_cargo = "SCAIVAULT_BIN" not in os.environ
    name = "cargo run -- server" if with_cargo else "scaivault server"
    command = ["cargo", "run", "--", "server"] if with_cargo else [binary(), "server"]
    # Only the place and the port differ from what an operator types: runs of this test go on side by side.
    server = Server(data, command=command, cwd=ROOT, DATA_DIR=data, BIND_ADDRESS="127.0.0.1:0")
    try:
        with tally.check(f"first start: `{name}` prints one token and three commands"):
            server.start(CARGO_SECONDS)
            tokens = TOKEN.findall(server.stdout())
            expect_equal(len(tokens), 1, "tokens on standard output")
            token = tokens[0]
            commands(server.stdout())
            expect(server.stdout().splitlines()[-1].startswith("listening on http://127.0.0.1:"), "`listening on` is not the last line")
            expect(token not in server.stderr(), "the token is in the log")
        with tally.check("first start: the commands work when pasted into bash"):
            printed, done = paste(commands(server.stdout()))
            expect_equal(len(printed), 5, f"commands that ended with 0 (and one rest)\n{done.stdout}\n{done.stderr}\nnumber")
            import json
            written, read, listed = (json.loads(text) for text in printed[1:4])
            expect_equal((written["created"], written["version"]), (True, 1), "what the write answers")
            expect_equal(read["data"], {"password": "correct horse"}, "what the read answers")
            expect_equal([item["path"] for item in listed["secrets"]], [written["path"]], "what the list answers")
        with tally.check("first start: the token is the administrator's"):
            me = Client(server.url, token).must(200, "GET", "/v1/auth/whoami")
            found = (me["identity_id"], me["tenant_id"], me["partner_id"], me["roles"], len(me["scopes"]))
            expect_equal(found, ("user:admin@localhost", "tnt_default", "ptn_default", ["super_admin"], 20), "whoami")
        with tally.check("first start: data directory 0700, files 0600"):
            expect_equal(modes(data), [], "open to others")
            expect((data / "root.key").is_file() and (data / "scaivault.db").is_file(), f"files are {sorted(os.listdir(data))}")
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()
    return data, token


def later_starts(tally, data, token):
    with tally.check("second start: no token; what the first one wrote is there"):
        with Server(data) as server:
            expect(not TOKEN.search(server.stdout() + server.stderr()), "a token was printed")
            expect_equal(len(server.stdout().splitlines()), 1, f"lines on standard output\n{server.stdout()}\nnumber")
            read = Client(server.url, token).must(200, "GET", "/v1/secrets/app/db")
            expect_equal(read["data"], {"password": "correct horse"}, "value")
            expect_equal(modes(data), [], "open to others")
    with tally.check("`scaivault init` on an initialised directory changes nothing and exits with 1"):
        done = stays_out([binary(), "init", "--data-dir", str(data)], "init again")
        expect_equal((done.returncode, TOKEN.findall(done.stdout + done.stderr)), (1, []), "exit code, tokens")
        expect("initialised already" in done.stderr, f"it says {done.stderr!r}")
    with tally.check("SIGTERM: exit code 0, and SIGINT likewise"):
        with Server(data) as server:
            Client(server.url, token).must(200, "GET", "/v1/secrets/app/db")
            expect_equal(server.terminate(), 0, f"exit code; {server.stderr()}")
        with Server(data) as server:
            server.process.send_signal(2)
            expect_equal(server.process.wait(40), 0, "exit code after SIGINT")
            server.join()
    with tally.check("Y-11 a second server on the same directory exits with a clear line"):
        with Server(data) as server:
            done = stays_out([binary(), "server", "--data-dir", str(data), "--listen", "127.0.0.1:0"], "second server", LOG_LEVEL="error")
            expect_equal(done.returncode, 1, "exit code")
            lines = done.stderr.strip().splitlines()
            expect_equal(len(lines), 1, f"lines\n{done.stderr}\nnumber")
            expect("another" in lines[0] and ("in use" in lines[0] or "running" in lines[0] or "open" in lines[0]), f"it says {lines[0]!r}")
            Client(server.url, token).must(200, "GET", "/v1/secrets/app/db")
    with tally.check("a port that is taken: exits with a line that names it, and makes no instance"):
        with socket.create_server(("127.0.0.1", 0)) as taken, scratch("port") as directory:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            done = stays_out([binary(), "server", "--data-dir", str(directory / "d"), "--listen", address], "taken port")
            expect(address in done.stderr, f"it says {done.stderr!r}")
            expect(not TOKEN.search(done.stdout), "a token was printed by a server that can't be reached")
            init(directory / "d")  # Would be refused on an initialised directory.


def initialising(tally, directory):
    with tally.check("`scaivault init --json` prints one object with the four fields; the server then starts without a token"):
        data = directory / "scripted"
        first = init(data)
        expect_equal(sorted(first), ["identity_id", "partner_id", "tenant_id", "token"], "fields")
        expect(TOKEN.fullmatch(first["token"]), "no token")
        expect_equal(modes(data), [], "open to others")
        with Server(data) as server:
            expect(not TOKEN.search(server.stdout() + server.stderr()), "a token was printed")
            expect_equal(Client(server.url, first["token"]).must(200, "GET", "/v1/auth/whoami")["identity_id"], first["identity_id"], "identity")
    with tally.check("SCAIVAULT_INIT_TOKEN_FILE: the token goes to a new file of mode 0600 and nowhere else"):
        file = directory / "token"
        with Server(directory / "quiet", SCAIVAULT_INIT_TOKEN_FILE=file) as server:
            token = file.read_text().strip()
            expect(TOKEN.fullmatch(token), "no token in the file")
            expect_equal(stat.S_IMODE(file.stat().st_mode), 0o600, "mode of the file")
            expect(token not in server.stdout() + server.stderr(), "the token was printed or logged")
            Client(server.url, token).must(200, "GET", "/v1/auth/whoami")
            paste_lines = commands(server.stdout())
            printed, done = paste(paste_lines)
            expect_equal(len(printed), 5, f"commands that ended with 0\n{done.stdout}\n{done.stderr}\nnumber")
        done = stays_out(
            [binary(), "server", "--data-dir", str(directory / "other"), "--listen", "127.0.0.1:0"], "token file exists",
            SCAIVAULT_INIT_TOKEN_FILE=file,
        )
        expect("SCAIVAULT_INIT_TOKEN_FILE" in done.stderr, f"it says {done.stderr!r}")
        expect_equal(file.read_text().strip(), token, "the file")


def sealed(tally, data, token):
    """Y-2, and what sealed means (Y-1): 503 everywhere but for the routes named in the contract."""
    key_file = data / "root.key"
    right = key_file.read_bytes()
    wrong = b"".join(b"%x" % (15 - int(digit, 16)) for digit in map(chr, right.strip())) + b"\n"

    def is_sealed(server):
        client = Client(server.url, token)
        for method, target, body in (
            ("GET", "/v1/secrets/app/db", None), ("GET", "/v1/secrets/app/absent", None), ("PUT", "/v1/secrets/app/db", {"data": {}}),
            ("GET", "/v1/secrets?prefix=app/", None), ("GET", "/v1/auth/whoami", None), ("GET", "/v1/audit/logs", None),
        ):
            answer = client.call(method, target, body)
            expect_error(answer, 503, "service_unavailable")
            expect_equal(answer.json()["error"]["details"], {"reason": "sealed"}, f"details of {method} {target}")
            expect(answer.headers["Retry-After"] is None, f"{method} {target} has Retry-After, as if it passed by itself")
            expect(b"correct horse" not in answer.body, "the value was disclosed")
        expect_error(Client(server.url).call("GET", "/v1/secrets/app/db"), 503, "service_unavailable")
        expect_equal(client.must(200, "GET", "/v1/health")["status"], "healthy", "health")
        ready = client.must(503, "GET", "/v1/health/ready")
        expect_equal((ready["status"], ready["errors"]["encryption"]), ("not_ready", "sealed"), "readiness")
        client.must(200, "GET", "/v1/version")
        status = client.must(200, "GET", "/v1/sys/seal-status", token=None)
        expect_equal((status["sealed"], status["initialized"], status["provider"]), (True, True, "file"), "seal status")

    def put_key(content):
        key_file.unlink(missing_ok=True)
        if content is not None:
            key_file.touch(0o600)
            key_file.write_bytes(content)

    try:
        for name, content in (("a wrong root key", wrong), ("no root key", None), ("a root key cut short", right[:20])):
            with tally.check(f"Y-2 {name}: the server stays sealed, says why, and overwrites nothing"):
                put_key(content)
                with Server(data) as server:
                    is_sealed(server)
                    expect("root" in server.stderr() and "key" in server.stderr(), f"the log does not say why: {server.stderr()}")
                    expect(right.decode().strip() not in server.stderr(), "the log holds the key")
                    expect_equal(server.terminate(), 0, "exit code")
                expect_equal(key_file.read_bytes() if key_file.exists() else None, content, "root.key")
        with tally.check("Y-2 a root key that others can read: sealed"):
            put_key(right)
            key_file.chmod(0o644)
            with Server(data) as server:
                is_sealed(server)
                expect("chmod 600" in server.stderr(), f"the log does not say what to do: {server.stderr()}")
    finally:
        put_key(right)
    with tally.check("Y-2 with the right root key back everything is as before"):
        with Server(data) as server:
            client = Client(server.url, token)
            read = client.must(200, "GET", "/v1/secrets/app/db")
            expect_equal((read["version"], read["data"]), (1, {"password": "correct horse"}), "secret")
            expect_equal(client.must(200, "GET", "/v1/audit/verify")["valid"], True, "audit chain")
            expect_equal(client.must(200, "GET", "/v1/sys/seal-status")["sealed"], False, "sealed")
            expect_equal(client.must(200, "GET", "/v1/health/ready")["status"], "ready", "readiness")


def bad_settings(tally, directory):
    """Y-13: one line that names variable and fault, never the value; nothing is made."""
    for variable, value in (
        ("RATE_LIMIT_RAED", "5"), ("LOG_LEVEL", "loud"), ("MAX_SECRET_BYTES", "1MiB"), ("SECRET_RETENTION", "30 days"),
        ("KMS_PROVIDER", "carrier-pigeon"), ("SCAIVAULT_ROOT_KEY", None),
    ):
        with tally.check(f"Y-13 {variable}={value or '(not set, but needed)'}: start refused, naming it"):
            data = directory / f"bad-{variable}"
            environment = {variable: value} if value else {"KMS_PROVIDER": "env"}
            done = stays_out([binary(), "server", "--data-dir", str(data), "--listen", "127.0.0.1:0"], variable, **environment)
            lines = done.stderr.strip().splitlines()
            expect_equal(len(lines), 1, f"lines\n{done.stderr}\nnumber")
            expect(variable in lines[0], f"it says {lines[0]!r}")
            if value and not value.isdigit():
                expect(value not in lines[0], f"it shows the value: {lines[0]!r}")
            expect_equal(done.returncode, 5, "exit code")
            expect(not data.exists(), "a data directory was made")
    with tally.check("plain HTTP beyond this machine is refused"):
        data = directory / "bad-listen"
        done = stays_out([binary(), "server", "--data-dir", str(data), "--listen", "0.0.0.0:0"], "0.0.0.0")
        expect("ALLOW_PLAIN_HTTP" in done.stderr and "BIND_ADDRESS" in done.stderr, f"it says {done.stderr!r}")
    with tally.check("a setting that is unknown under KMS_, AUDIT_, METRICS_ is a warning; the server starts"):
        with Server(directory / "warned", AUDIT_RETENTOIN="1d") as server:
            expect("AUDIT_RETENTOIN" in server.stderr(), "no warning names it")


def main():
    tally = Tally()
    try:
        with scratch("first-start") as directory:
            data, token = first_start(tally, directory)
            if token is None:
                raise RuntimeError("no first start, so nothing to go on with")
            later_starts(tally, data, token)
            initialising(tally, directory)
            sealed(tally, data, token)
            bad_settings(tally, directory)
    except (AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        tally.failed += 1
        print(f"FAIL  the run was broken off: {type(error).__name__}: {error}", flush=True)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
