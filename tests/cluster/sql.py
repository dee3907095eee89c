"""SQL through the `psql` program, and the addresses of databases."""

import re
import subprocess
import time
import urllib.parse
from collections.abc import Callable

from .programs import environment, server_programs

# Parameters of a URL and the variables that say the same to libpq.
VARIABLES = {
    "application_name": "PGAPPNAME", "channel_binding": "PGCHANNELBINDING", "connect_timeout": "PGCONNECT_TIMEOUT",
    "options": "PGOPTIONS", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "target_session_attrs": "PGTARGETSESSIONATTRS",
}


class SqlError(Exception):
    """psql ended with an error. `sqlstate` is the server's code; None when the connection failed or the server gave none."""

    def __init__(self, text: str):
        super().__init__(text)
        found = re.search(r"(?:ERROR|FATAL|PANIC):\s+([0-9A-Z]{5}):", text)
        self.sqlstate = found[1] if found else None


def url(
    hosts: list[tuple[str, int]], user: str, password: str, database: str, **parameters: str,
) -> str:
    """`postgresql://user:password@host:port,host:port/database?name=value`."""
    def quote(text: str) -> str:
        return urllib.parse.quote(text, safe="")

    where = ",".join(f"{host}:{port}" for host, port in hosts)
    query = urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote, safe="/")
    return f"postgresql://{quote(user)}:{quote(password)}@{where}/{quote(database)}" + (f"?{query}" if query else "")


def _variables(address: str) -> dict[str, str]:
    """A URL as variables: on a command line every user of the machine could read the password."""
    parts = urllib.parse.urlsplit(address)
    account, _, hosts = parts.netloc.rpartition("@")
    user, _, password = account.partition(":")
    names, ports = zip(*(each.rpartition(":")[::2] for each in hosts.split(",")), strict=True)
    variables = {
        "PGHOST": ",".join(names), "PGPORT": ",".join(ports), "PGUSER": urllib.parse.unquote(user),
        "PGPASSWORD": urllib.parse.unquote(password), "PGDATABASE": urllib.parse.unquote(parts.path.removeprefix("/")),
        "PGCONNECT_TIMEOUT": "10",
    }
    return variables | {VARIABLES[name]: value for name, value in urllib.parse.parse_qsl(parts.query)}


def psql(address: str, statements: str, seconds: float = 30) -> str:
    """Runs statements, each sent by itself, and answers their rows: one a line, columns parted by `|`.

    Raises `SqlError`, and `subprocess.TimeoutExpired` when it takes longer than `seconds`.
    """
    done = subprocess.run(
        [server_programs() / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-f", "-"],
        input=statements, capture_output=True, text=True, timeout=seconds, env=environment(**_variables(address)),
    )
    if done.returncode != 0:
        raise SqlError(done.stderr.strip() or f"psql exited with {done.returncode}")
    return done.stdout.strip()


def literal(text: str) -> str:
    """A string as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def name(text: str) -> str:
    """A name as SQL writes it."""
    return '"' + text.replace('"', '""') + '"'


def eventually(what: str, condition: Callable[[], bool], seconds: float = 20) -> None:
    """Asks until it is so. Raises `AssertionError` when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)
