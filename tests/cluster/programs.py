"""Where PostgreSQL's programs are, as whom they run, and where they may write."""

import functools
import os
import pathlib
import pwd
import random
import re
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

OLDEST = 14
# A server needs all of these; a package of the client programs alone has only some.
NEEDED = ("initdb", "pg_ctl", "postgres", "pg_basebackup", "psql")
HOW_TO_INSTALL = "run scripts/need-tools, which installs it from the system's packages or says what to install"


class Missing(Exception):
    """A program that the tests need is not installed, or it is too old."""


def _major(directory: pathlib.Path) -> int:
    """The major version of the server in a directory; 0 when there is no whole server."""
    if not all(os.access(directory / name, os.X_OK) for name in NEEDED):
        return 0
    said = subprocess.run([directory / "postgres", "--version"], capture_output=True, text=True, env=environment()).stdout
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else 0


@functools.cache
def server_programs() -> pathlib.Path:
    """The directory of the newest PostgreSQL server installed here. Raises `Missing` when none is new enough."""
    places = {path.resolve() for path in pathlib.Path("/usr/lib/postgresql").glob("*/bin")}
    if shutil.which("pg_config"):
        told = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, env=environment()).stdout.strip()
        places |= {pathlib.Path(told).resolve()} if told else set()
    versions = {path: _major(path) for path in places}
    best = max(versions, key=lambda path: versions[path], default=None)
    if best is None or versions[best] < OLDEST:
        raise Missing(f"no PostgreSQL server {OLDEST} or newer is installed: {HOW_TO_INSTALL}")
    return best


def program(name: str) -> str:
    """The path of another program. System programs may lie outside an ordinary user's PATH."""
    found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if found is None:
        raise Missing(f"{name} is not installed: {HOW_TO_INSTALL}")
    return found


def environment(**more: str) -> dict[str, str]:
    """An environment without settings of whoever runs the tests: no PG* variables, no files at home, no other language or time zone."""
    keep = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return keep | {"HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "TZ": "UTC"} | more


@functools.cache
def account() -> pwd.struct_passwd | None:
    """Whom servers run as: PostgreSQL refuses root, so then it is an unprivileged user; else nobody but oneself (None)."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Missing("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`")


def as_account(directory: pathlib.Path) -> Mapping[str, Any]:
    """What `subprocess` needs to run a program as that user, in a directory of its own."""
    user = account()
    return {"cwd": directory} | ({} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []})


def hand_over(path: pathlib.Path) -> None:
    """Makes that user the owner."""
    user = account()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def _reachable(directory: pathlib.Path) -> bool:
    """Whether that user gets into a directory and may make its own in it once we did."""
    if account() is None:
        return True
    path = directory.resolve()
    return all(step.stat().st_mode & stat.S_IXOTH for step in (path, *path.parents))


def scratch_parent() -> pathlib.Path:
    """Where temporary directories go: the usual place, or /tmp where servers can't get there or a socket's name would be too long."""
    usual = pathlib.Path(tempfile.gettempdir())
    # A socket's path has at most 107 bytes, and a directory's name and the socket's take about 60 of them.
    return usual if _reachable(usual) and len(os.fsencode(usual)) <= 45 else pathlib.Path("/tmp")


_given: set[int] = set()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, and not given out before.

    It lies below the ports that outgoing connections take: otherwise a connection could take it while its server is down, or a
    client that keeps trying could even connect to itself.
    """
    try:
        low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        low = 32768
    for _ in range(1000):
        port = random.SystemRandom().randrange(10_000, max(low, 12_000))
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port
    raise Missing("no free port on 127.0.0.1")


def locale_exists(name: str) -> bool:
    """Whether the system knows a locale; `en_US.UTF-8` and `en_US.utf8` are the same."""
    def plain(text: str) -> str:
        return text.strip().lower().replace("utf-8", "utf8")

    known = subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.splitlines()
    return plain(name) in {plain(each) for each in known} | {"c", "posix"}
