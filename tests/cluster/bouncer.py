"""PgBouncer in session mode in front of a cluster."""

from __future__ import annotations

import signal
import socket
import subprocess
import time

from . import undo
from .pg import Cluster, Refused
from .programs import as_account, environment, free_port, hand_over, program, scratch_parent

# Without passwords: clients prove that they know them, and PgBouncer proves the same to the server with what it learned.
CONFIGURATION = """\
[databases]
* = host={host} port={server_port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {directory}/users
logfile = {directory}/log
pool_mode = session
server_reset_query = DISCARD ALL
max_client_conn = 500
default_pool_size = {pool}
ignore_startup_parameters = extra_float_digits
"""


class PgBouncer:
    """Runs until the end of the `with` block. It knows the roles that the cluster had when it began (`read_roles` for later ones)."""

    def __init__(self, cluster: Cluster, *, server_port: int | None = None, pool: int = 100) -> None:
        self.cluster = cluster
        self.server_port = server_port or cluster.port
        self.pool = pool
        self.port = free_port()

    def __enter__(self) -> PgBouncer:
        self.directory, self._trace = undo.directory(scratch_parent(), "scaivault-pgbouncer-")
        self.process: subprocess.Popen[bytes] | None = None
        try:
            hand_over(self.directory)
            self._write("configuration", CONFIGURATION.format(
                host=self.cluster.host, server_port=self.server_port, port=self.port, directory=self.directory, pool=self.pool,
            ))
            self._write_roles()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill9()
        undo.undo(self._trace)

    def _write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o600)
        hand_over(path)

    def _write_roles(self) -> None:
        rows = self.cluster.psql("SELECT rolname, rolpassword FROM pg_authid WHERE rolcanlogin AND rolpassword LIKE 'SCRAM-%'")
        pairs = (row.split("|", 1) for row in rows.splitlines())
        self._write("users", "".join(f'"{role}" "{verifier}"\n' for role, verifier in pairs))

    def read_roles(self) -> None:
        """Takes over the roles that the cluster has now."""
        self._write_roles()
        if self.process is not None:
            self.process.send_signal(signal.SIGHUP)

    def start(self, seconds: float = 10) -> None:
        """Raises `Refused` with its log."""
        self.process = subprocess.Popen(
            [program("pgbouncer"), "-q", str(self.directory / "configuration")], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(), start_new_session=True, **as_account(self.directory),
        )
        self._running = undo.remember(undo.process(self.process.pid))
        deadline = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.kill9()
                    raise Refused(f"pgbouncer did not start: {self.log()[-2000:]}") from None
                time.sleep(0.02)

    def kill9(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            undo.forget(self._running)
            self.process = None

    def log(self) -> str:
        path = self.directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def url(self, user: str, database: str, **parameters: str) -> str:
        return self.cluster.url(user, database, host="127.0.0.1", port=self.port, **parameters)
