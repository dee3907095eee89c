"""What the page, first-start and crash checks share: a real server as a child process, a small client, a tally.

Standard library only.
"""

import atexit
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ALL_SCOPES = [
    "secrets:read", "secrets:write", "secrets:delete", "secrets:list", "secrets:rotate", "policies:read", "policies:write",
    "audit:read", "audit:export", "pki:issue", "pki:admin", "dynamic:read", "dynamic:manage", "federation:read", "federation:write",
    "subscriptions:read", "subscriptions:write", "identity:read", "identity:admin", "admin",
]
START_SECONDS = 60
STOP_SECONDS = 40
LISTENING = re.compile(r"^listening on (https?://\S+)$")


def binary():
    """The server under test: SCAIVAULT_BIN, or the debug build."""
    given = os.environ.get("SCAIVAULT_BIN")
    root = pathlib.Path(__file__).resolve().parents[2]
    path = pathlib.Path(given) if given else root / os.environ.get("CARGO_TARGET_DIR", "target") / "debug" / "scaivault"
    if not path.is_file():
        sys.exit(f"no server binary at {path}: run `cargo build -p scaivault`, or set SCAIVAULT_BIN")
    return str(path.resolve())


def clean_environment(**more):
    """An environment without settings of whoever runs the tests: no server variables, no proxies."""
    prefixes = ("SCAIVAULT_", "KMS_", "AUDIT_", "METRICS_", "RATE_LIMIT_", "TLS_", "WEBHOOK_", "OBJECT_STORE_", "IDENTITY_SYNC_", "SCAIKEY_")
    names = {
        "DATABASE_URL", "DATA_DIR", "REDIS_URL", "BIND_ADDRESS", "BASE_URL", "ALLOW_PLAIN_HTTP", "TRUSTED_PROXIES", "LOG_LEVEL",
        "LOG_FORMAT", "MAX_SECRET_BYTES", "SECRET_RETENTION", "TOKEN_MAX_TTL", "MFA_MAX_AGE", "SHUTDOWN_TIMEOUT", "KEY_CACHE_TTL",
        "CORS_ALLOWED_ORIGINS", "CONSOLE_ENABLED", "CUSTOM_ENGINE_DIR", "TOKEN", "PARTNER_ADMIN_TOKEN",
    }
    keep = {
        name: value for name, value in os.environ.items()
        if name not in names and not name.startswith(prefixes) and not name.lower().endswith("_proxy")
    }
    return keep | {name: str(value) for name, value in more.items()}


@contextlib.contextmanager
def scratch(prefix):
    """A directory that goes, whatever happens."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=f"scaivault-{prefix}-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


_running = set()


def _kill_groups():
    for process in list(_running):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


atexit.register(_kill_groups)
# A test run that is told to stop runs its `finally` blocks and takes its servers with it.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class Server:
    """`scaivault server` in a process group of its own, until the end of the `with` block."""

    def __init__(self, data_dir, command=None, listen=True, cwd=None, **environment):
        self.data_dir = pathlib.Path(data_dir)
        self.command = command or [binary(), "server", "--data-dir", str(data_dir)] + (["--listen", "127.0.0.1:0"] if listen else [])
        self.environment = clean_environment(**environment)
        self.cwd = cwd
        self.url = None
        self.out, self.err = [], []
        self.process = None

    def start(self, seconds=START_SECONDS):
        """Starts it and waits for its `listening on` line."""
        self.out, self.err, self.url = [], [], None
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
            env=self.environment, cwd=self.cwd, start_new_session=True,
        )
        _running.add(self.process)
        self._listening = threading.Event()
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.out), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self.err), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        deadline = time.monotonic() + seconds
        while not self._listening.wait(0.05):
            if self.process.poll() is not None:
                self.join()
                raise RuntimeError(f"the server exited with {self.process.returncode}: {self.stderr().strip()[-2000:]}")
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the server did not listen within {seconds} s: {self.stderr().strip()[-2000:]}")
        return self

    def _read(self, stream, into):
        for line in stream:
            into.append(line)
            found = LISTENING.match(line.rstrip("\n")) if into is self.out else None
            if found:
                self.url = found[1]
                self._listening.set()

    def join(self):
        for reader in self._readers:
            reader.join(10)
        _running.discard(self.process)

    def stdout(self):
        return "".join(self.out)

    def stderr(self):
        return "".join(self.err)

    def terminate(self):
        """SIGTERM; answers the exit code."""
        os.kill(self.process.pid, signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS)
        self.join()
        return code

    def kill(self):
        """SIGKILL to the whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.join()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()


def init(data_dir, **environment):
    """`scaivault init --json`; the object it prints."""
    done = subprocess.run(
        [binary(), "init", "--json", "--data-dir", str(data_dir)], env=clean_environment(**environment), capture_output=True,
        text=True, timeout=START_SECONDS,
    )
    if done.returncode != 0:
        raise RuntimeError(f"`scaivault init --json` exited with {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def code(self):
        """The error code, or None."""
        try:
            return self.json()["error"]["code"]
        except (ValueError, KeyError, TypeError):
            return None

    def __str__(self):
        return f"{self.status} {self.body[:400].decode(errors='replace')}"


class Client:
    """One kept connection with a bearer token. Not for several threads."""

    def __init__(self, url, token=None, timeout=30):
        self.address = urllib.parse.urlsplit(url)
        self.token = token
        self.timeout = timeout
        self.connection = None

    def call(self, method, target, body=None, headers=None, token=None):
        """Sends once; a connection that the server closed in the meantime is opened anew only for reading calls."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=self.timeout)
        sent = dict(headers or {})
        bearer = token or self.token
        if bearer:
            sent["Authorization"] = f"Bearer {bearer}"
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            self.connection.request(method, target, data, sent)
            response = self.connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def must(self, status, method, target, body=None, **more):
        """A call whose status is known; the JSON of the answer."""
        answer = self.call(method, target, body, **more)
        wanted = status if isinstance(status, tuple) else (status,)
        if answer.status not in wanted:
            raise AssertionError(f"{method} {target} answered {answer}, expected {' or '.join(map(str, wanted))}")
        return answer.json() if answer.body else None


class Tally:
    """One line per check, and the sum at the end."""

    def __init__(self):
        self.passed = self.failed = 0

    @contextlib.contextmanager
    def check(self, name):
        began = time.monotonic()
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a failed check must not hide those after it
            self.failed += 1
            text = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
            print(f"FAIL  {name}\n      " + text.replace("\n", "\n      "), flush=True)
        else:
            self.passed += 1
            print(f"ok    {name}  ({time.monotonic() - began:.2f} s)", flush=True)

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def expect_equal(found, wanted, what):
    expect(found == wanted, f"{what}: {found!r}, expected {wanted!r}")


def expect_error(answer, status, code):
    expect(answer.status == status and answer.code() == code, f"answered {answer}, expected {status} {code}")
