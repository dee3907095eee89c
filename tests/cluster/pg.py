"""Private PostgreSQL clusters for tests: made in a temporary directory, on 127.0.0.1, gone afterwards. Never the system's own.

    with Cluster() as primary, primary.make_standby("second") as standby:
        address = primary.make_application()
        ...
        failover(primary, standby)
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping

from . import sql, undo
from .programs import as_account, environment, free_port, hand_over, locale_exists, scratch_parent, server_programs
from .tls import Pair

SUPERUSER = "postgres"
REPLICATOR = "replicator"
HBA = """\
local  all          all  scram-sha-256
{host} all          all  127.0.0.1/32 scram-sha-256
{host} replication  all  127.0.0.1/32 scram-sha-256
"""
SETTINGS = {
    "listen_addresses": "127.0.0.1", "max_connections": "200", "shared_buffers": "64MB", "password_encryption": "scram-sha-256",
    "timezone": "UTC", "log_timezone": "UTC", "lc_messages": "C", "log_line_prefix": "%m [%p] %u@%d ",
    # In the data directory rather than in /dev/shm: nothing stays behind after a kill.
    "dynamic_shared_memory_type": "mmap", "max_locks_per_transaction": "128", "recovery_init_sync_method": "syncfs",
}
DURABLE = {
    "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "wal_level": "replica", "hot_standby": "on",
    "max_wal_senders": "10", "max_replication_slots": "10",
}
# For tests that need a database and no crash: what was committed is seen at once, and lost with the machine.
FAST = {"fsync": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0", "max_connections": "400"}


class Refused(Exception):
    """A cluster did not start, stop or follow. The text ends with the end of its log."""


class Cluster:
    """One PostgreSQL server with its data, from `__enter__` to `__exit__`.

    `durable`: everything a real one does before it says "committed". `settings` go before the defaults here.
    `data_directory`: another place for the data (a `SmallDisk`); with `wal_apart` the log of changes is not put there.
    """

    host = "127.0.0.1"

    def __init__(
        self, name: str = "primary", *, durable: bool = True, locale: str = "C.UTF-8", settings: Mapping[str, str] | None = None,
        data_directory: pathlib.Path | None = None, wal_apart: bool = False, initdb: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.locale = locale
        self.settings = SETTINGS | (DURABLE if durable else FAST) | {"cluster_name": name} | dict(settings or {})
        self.passwords = {SUPERUSER: secrets.token_urlsafe(18), REPLICATOR: secrets.token_urlsafe(18)}
        self.port = free_port()
        self.base: pathlib.Path | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.fenced = False
        self._data = data_directory
        self._wal_apart = wal_apart
        self._initdb = initdb
        self._tls = False
        self._traces: list[undo.Trace] = []
        self._memory: undo.Trace | None = None
        self._standbys: list[Cluster] = []

    def __enter__(self) -> Cluster:
        try:
            if self.base is None:
                self.create()
            return self if self.running else self.start()
        except BaseException:
            self.discard()
            raise

    def __exit__(self, *_: object) -> None:
        self.discard()

    # Making and discarding

    def create(self) -> None:
        """Makes the data directory, and nothing runs yet. Raises `Refused`, for example for a locale that the system has not."""
        if not locale_exists(self.locale):
            raise Refused(f"the system has no locale {self.locale}; `locale -a` lists those it has")
        base = self._make_base()
        password = base / "password"
        password.write_text(self.passwords[SUPERUSER])
        hand_over(password)
        command = [
            "initdb", "-D", str(self.data), "-U", SUPERUSER, "--pwfile", str(password), "--auth", "scram-sha-256", "--encoding", "UTF8",
            "--locale", self.locale, "--no-sync", *self._initdb,
        ]
        if self._wal_apart:
            command += ["--waldir", str(base / "wal")]
        try:
            self._run(command, 60)
        finally:
            password.unlink()

    def _make_base(self) -> pathlib.Path:
        self.base, trace = undo.directory(scratch_parent(), f"scaivault-pg-{self.name}-")
        self._traces.append(trace)
        hand_over(self.base)
        self.settings["unix_socket_directories"] = str(self.base)
        self.data = self._data or self.base / "data"
        return self.base

    def _run(self, command: list[str], seconds: float, **variables: str) -> None:
        """One of PostgreSQL's own programs, as the user that the server runs as."""
        assert self.base is not None
        done = subprocess.run(
            [server_programs() / command[0], *command[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds,
            env=environment(**variables), **as_account(self.base),
        )
        if done.returncode != 0:
            raise Refused(f"{command[0]} for {self.name} exited with {done.returncode}: {done.stderr.strip()[-2000:]}")

    def discard(self) -> None:
        """Ends it and removes everything, its standbys too."""
        for standby in self._standbys:
            standby.discard()
        if self.running:
            with contextlib.suppress(Refused):
                self.stop("immediate", seconds=5)
        if self.running:
            self.kill9()
        if self._memory is not None:
            undo.undo(self._memory)
            self._memory = None
        for trace in self._traces:
            undo.undo(trace)
        self._traces.clear()
        self.base = None

    # Running

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, seconds: float = 60) -> Cluster:
        """Starts it and waits until it takes connections. Raises `Refused` with the end of its log."""
        if self.fenced:
            raise Refused(f"{self.name} was fenced off and must not come back")
        if self.running or self.base is None:
            raise Refused(f"{self.name} runs already" if self.base else f"{self.name} was not created")
        self._write_configuration()
        with open(self._log, "ab") as log:
            self.process = subprocess.Popen(
                [server_programs() / "postgres", "-D", str(self.data)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment(), start_new_session=True, **as_account(self.base),
            )
        self._process_trace = undo.remember(undo.process(self.process.pid))
        deadline = time.monotonic() + seconds
        while not self._ready():
            if self.process.poll() is not None:
                self._ended()
                raise Refused(f"{self.name} exited with {self.process.returncode}: {self.log_end()}")
            if time.monotonic() > deadline:
                self.kill9()
                raise Refused(f"{self.name} did not start within {seconds:g} s: {self.log_end()}")
            time.sleep(0.02)
        return self

    def _ready(self) -> bool:
        """Whether its lock file says so: process, directory, start, port, socket, address, memory, state."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        if len(lines) < 8 or self.process is None or int(lines[0]) != self.process.pid:
            return False
        if lines[7].strip() not in ("ready", "standby"):
            return False
        self._set_memory(undo.remember(undo.Trace("memory", lines[6].split()[1])))
        return True

    def _set_memory(self, trace: undo.Trace | None) -> None:
        if self._memory is not None:
            undo.forget(self._memory)
        self._memory = trace

    def _ended(self) -> None:
        undo.forget(self._process_trace)

    def stop(self, mode: str = "fast", seconds: float = 30) -> None:
        """`smart` waits for the clients, `fast` ends them and writes everything down, `immediate` leaves that to the next start.

        Raises `Refused` when it still runs after `seconds`.
        """
        sent = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode]
        if self.process is None or not self.running:
            return
        self.process.send_signal(sent)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Refused(f"{self.name} did not stop ({mode}) within {seconds:g} s: {self.log_end()}") from None
        self._ended()
        self._set_memory(None)

    def kill9(self) -> None:
        """SIGKILL to the server and every process of it at once, as when the machine dies. `start` recovers it."""
        if self.process is not None and self.running:
            undo.kill_tree(self.process.pid)
            self.process.wait()
            self._ended()

    def fence(self) -> None:
        """kill -9, for good: an old primary must not take writes beside the new one."""
        self.kill9()
        self.fenced = True

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Holds every process of it: connections stay open and nothing answers, as on a machine that hangs."""
        assert self.process is not None
        pids = [self.process.pid, *undo.children(self.process.pid)]
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in reversed(pids):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    # Settings

    def _write_configuration(self) -> None:
        """Whole and anew each time: what `settings` says is what holds (the standby's own file says whom it follows)."""
        settings = self.settings | {"port": str(self.port)}
        lines = "".join(f"{name} = {sql.literal(value)}\n" for name, value in settings.items())
        for file, text in (("postgresql.conf", lines), ("pg_hba.conf", HBA.format(host="hostssl" if self._tls else "host"))):
            (self.data / file).write_text(text)
            hand_over(self.data / file)

    def configure(self, **settings: str) -> None:
        """Changes settings; those that can change while it runs do so now, others with the next start."""
        self.settings |= settings
        self._write_configuration()
        if self.running:
            before = self.psql("SELECT pg_conf_load_time()")
            self.psql("SELECT pg_reload_conf()")
            sql.eventually(f"{self.name} reads its settings", lambda: self.psql("SELECT pg_conf_load_time()") != before)

    def use_tls(self, pair: Pair) -> None:
        """From now on new TCP connections must use TLS, and are shown this certificate."""
        for source, target in ((pair.certificate, "server.crt"), (pair.key, "server.key")):
            path = self.data / target
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(source.read_bytes())
            hand_over(path)
        self._tls = True
        self.configure(ssl="on", ssl_cert_file="server.crt", ssl_key_file="server.key", ssl_min_protocol_version="TLSv1.2")

    # Roles, addresses, SQL

    def make_role(self, role: str, attributes: str = "LOGIN") -> None:
        """A role with a random password."""
        self.passwords[role] = secrets.token_urlsafe(18)
        self.psql(f"CREATE ROLE {sql.name(role)} {attributes} PASSWORD {sql.literal(self.passwords[role])}")

    def make_application(self, role: str = "scaivault", database: str = "scaivault") -> str:
        """A database, and a role that may make schemas in it and nothing else anywhere. Answers its URL."""
        if role not in self.passwords:
            self.make_role(role, "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")
        known = self.psql(f"SELECT count(*) FROM pg_database WHERE datname = {sql.literal(database)}") == "1"
        if not known:
            self.psql(f"CREATE DATABASE {sql.name(database)}")
        for each in (database, "postgres", "template1"):
            self.psql(f"REVOKE ALL ON DATABASE {sql.name(each)} FROM PUBLIC")
        self.psql(f"GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {sql.name(database)} TO {sql.name(role)}")
        # Newer servers do not let everybody use it either.
        self.psql("REVOKE CREATE ON SCHEMA public FROM PUBLIC", database=database)
        return self.url(role, database)

    def url(
        self, user: str = SUPERUSER, database: str = "postgres", *, host: str | None = None, port: int | None = None,
        password: str | None = None, **parameters: str,
    ) -> str:
        """The address for a role that was made here; with the host and port of something in front of it, if given."""
        where = [(host or self.host, port or self.port)]
        return sql.url(where, user, self.passwords[user] if password is None else password, database, **parameters)

    def psql(self, statements: str, user: str = SUPERUSER, database: str = "postgres", seconds: float = 30) -> str:
        """Runs SQL; see `sql.psql`. Raises `sql.SqlError`."""
        return sql.psql(self.url(user, database), statements, seconds)

    def answers(self) -> bool:
        """Whether it takes a query now."""
        try:
            return self.psql("SELECT 1", seconds=5) == "1"
        except (sql.SqlError, subprocess.TimeoutExpired):
            return False

    # Replication

    def make_standby(
        self, name: str, *, synchronous: bool = True, settings: Mapping[str, str] | None = None, through: int | None = None,
    ) -> Cluster:
        """Another server with a copy of everything, which follows this one by a replication slot, and runs.

        `synchronous`: a commit is answered when the standby has it on its disk too. `through`: the port by which it reaches this
        one, for example of a `Proxy`.
        """
        if self.psql(f"SELECT count(*) FROM pg_roles WHERE rolname = '{REPLICATOR}'") == "0":
            self.psql(f"CREATE ROLE {REPLICATOR} LOGIN REPLICATION PASSWORD {sql.literal(self.passwords[REPLICATOR])}")
        standby = Cluster(name, locale=self.locale)
        # A standby needs what its primary has: the same roles, and no smaller settings.
        inherited = {key: value for key, value in self.settings.items() if key != "synchronous_standby_names"}
        standby.settings = inherited | {"cluster_name": name} | dict(settings or {})
        standby.passwords, standby._tls = self.passwords, self._tls
        self._standbys.append(standby)
        try:
            standby._make_base()
            source = f"host={self.host} port={through or self.port} user={REPLICATOR} application_name={name}"
            self._run(
                ["pg_basebackup", "-d", source, "-D", str(standby.data), "-R", "-C", "-S", name, "-X", "stream", "-c", "fast", "--no-sync"],
                120, PGPASSWORD=self.passwords[REPLICATOR],
            )
            standby.start()
            sql.eventually(f"{name} follows {self.name}", lambda: self.sync_state(name) is not None)
            if synchronous:
                self._wait_for_standbys([*self.synchronous_standbys(), name])
        except BaseException:
            standby.discard()
            raise
        return standby

    def synchronous_standbys(self) -> list[str]:
        """The names that a commit waits for, any one of them."""
        inside = self.settings.get("synchronous_standby_names", "").partition("(")[2].rstrip(")")
        return [each.strip('" ') for each in inside.split(",") if each.strip()]

    def _wait_for_standbys(self, names: list[str]) -> None:
        listed = ", ".join(sql.name(each) for each in names)
        self.configure(synchronous_standby_names=f"FIRST 1 ({listed})")
        sql.eventually("a synchronous standby", lambda: "sync" in (self.sync_state(each) for each in names))

    def sync_state(self, standby: str) -> str | None:
        """`sync`, `potential` or `async` for a standby that streams; None for one that does not."""
        return self.psql(
            f"SELECT sync_state FROM pg_stat_replication WHERE application_name = {sql.literal(standby)} AND state = 'streaming'"
        ) or None

    def promote(self, seconds: float = 30) -> None:
        """Makes a standby a primary, and waits until it takes writes. Raises `Refused`."""
        self._run(["pg_ctl", "promote", "-w", "-t", f"{seconds:.0f}", "-D", str(self.data)], seconds + 10)
        sql.eventually(f"{self.name} takes writes", lambda: self.psql("SELECT pg_is_in_recovery()") == "f", seconds)

    # The log

    @property
    def _log(self) -> pathlib.Path:
        assert self.base is not None
        return self.base / "log"

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def log_end(self) -> str:
        return self.log().strip()[-2000:]


def failover(old: Cluster, new: Cluster) -> None:
    """The old primary dies for good, and the standby takes its place."""
    old.fence()
    new.promote()


def url_of(clusters: list[Cluster], user: str, database: str, **parameters: str) -> str:
    """One address for several servers, as clients that find the writable one by themselves take it."""
    hosts = [(cluster.host, cluster.port) for cluster in clusters]
    wanted = {"target_session_attrs": "read-write"} | parameters
    return sql.url(hosts, user, clusters[0].passwords[user], database, **wanted)
