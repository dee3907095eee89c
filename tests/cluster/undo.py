"""What the tests leave on a machine while they run, and how it goes again, however they end.

Whoever makes something calls `remember` at once and `forget` when it is gone. What is still known is undone when the process
exits, also on SIGTERM; and a small guard process, which holds the other end of a pipe, undoes it when the process was killed.
"""

import atexit
import contextlib
import dataclasses
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time


@dataclasses.dataclass(frozen=True)
class Trace:
    """One thing left: a `process` (its id and start time), System V `memory` (id), a `mount` or a `directory` (path)."""

    kind: str
    what: str


# Programs that run in a directory of the tests, and go with it.
SERVERS = ("postgres", "initdb", "pg_basebackup", "pg_ctl", "pgbouncer")
# Processes first, for they use the rest; directories last.
ORDER = ("process", "memory", "mount", "directory")


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on; None when there is no such process."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def alive(pid: int) -> bool:
    """Whether a process runs: one that only waits for its parent to look does not."""
    fields = _stat(pid)
    return fields is not None and fields[0] not in "ZX"


def process(pid: int) -> Trace:
    """The trace of a process. With its start time, so that another that got the same id later is never taken for it."""
    fields = _stat(pid)
    return Trace("process", f"{pid} {fields[19] if fields else 0}")


def children(pid: int) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = _stat(int(entry))
            if fields and int(fields[1]) == pid and fields[0] not in "ZX":
                found.append(int(entry))
    return found


def kill_tree(pid: int, seconds: float = 10) -> None:
    """SIGKILL to a process and all below it, as if the machine died: the top is held first, so that it starts nothing new."""
    killed: set[int] = set()

    def end(each: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGSTOP)
            while (fields := _stat(each)) and fields[0] not in "TtZX":
                time.sleep(0.0005)
            for child in children(each):
                end(child)
            os.kill(each, signal.SIGKILL)
            killed.add(each)

    end(pid)
    deadline = time.monotonic() + seconds
    while any(alive(each) for each in killed) and time.monotonic() < deadline:
        time.sleep(0.005)


def _undo(trace: Trace) -> None:
    if trace.kind == "process":
        pid, started = trace.what.split()
        fields = _stat(int(pid))
        if fields and fields[19] == started:
            kill_tree(int(pid))
    elif trace.kind == "memory":
        subprocess.run(["ipcrm", "-m", trace.what], capture_output=True)
    elif trace.kind == "mount":
        if os.path.ismount(trace.what):
            subprocess.run(["umount", "-l", trace.what], capture_output=True)
    elif trace.kind == "directory":
        _remove(trace.what)


def _remove(directory: str) -> None:
    """Removes a directory, and first the servers that work in it and their memory: one that had just begun has no trace yet."""
    for _ in range(20):
        for entry in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if entry.isdigit() and f"{os.readlink(f'/proc/{entry}/cwd')}/".startswith(f"{directory}/"):
                    if pathlib.Path(os.readlink(f"/proc/{entry}/exe")).name.split()[0] in SERVERS:
                        kill_tree(int(entry))
        for lock in pathlib.Path(directory).glob("*/postmaster.pid"):
            with contextlib.suppress(OSError, IndexError):
                _undo(Trace("memory", lock.read_text().splitlines()[6].split()[1]))
        shutil.rmtree(directory, ignore_errors=True)
        if not os.path.lexists(directory):
            return
        time.sleep(0.05)


def _undo_all(traces: list[Trace]) -> None:
    for trace in sorted(traces, key=lambda each: ORDER.index(each.kind)):
        _undo(trace)


_lock = threading.RLock()
_known: list[Trace] = []
_guard: subprocess.Popen[str] | None = None
_owner = 0


def _tell(sign: str, trace: Trace) -> None:
    if _guard is not None and _guard.stdin is not None:
        with contextlib.suppress(OSError, ValueError):
            _guard.stdin.write(json.dumps([sign, trace.kind, trace.what]) + "\n")
            _guard.stdin.flush()


def _begin() -> None:
    """Once a process: the guard, the exit, and a SIGTERM that lets `finally` blocks run."""
    global _guard, _owner
    if _owner == os.getpid():
        return
    _owner = os.getpid()
    _known.clear()
    _guard = subprocess.Popen(
        [sys.executable, "-I", pathlib.Path(__file__).resolve()], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        start_new_session=True, cwd="/",
    )
    atexit.register(_end)
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _end() -> None:
    """At exit: undoes what is known, and lets the guard go."""
    if _owner != os.getpid():
        return
    with _lock:
        _undo_all(_known)
        _known.clear()
        if _guard is not None:
            if _guard.stdin is not None:
                with contextlib.suppress(OSError):
                    _guard.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                _guard.wait(30)


def remember(trace: Trace) -> Trace:
    """From now on this goes when the process does."""
    with _lock:
        _begin()
        _known.append(trace)
        _tell("+", trace)
    return trace


def directory(parent: pathlib.Path, prefix: str) -> tuple[pathlib.Path, Trace]:
    """Makes a temporary directory that only its owner may enter. It is remembered before it is there."""
    path = parent / f"{prefix}{secrets.token_hex(4)}"
    trace = remember(Trace("directory", str(path)))
    path.mkdir(mode=0o700)
    return path, trace


def forget(trace: Trace) -> None:
    """This is gone already."""
    with _lock:
        if trace in _known:
            _known.remove(trace)
            _tell("-", trace)


def undo(trace: Trace) -> None:
    """Undoes one thing now."""
    with _lock:
        _undo(trace)
        forget(trace)


def _watch() -> None:
    """The guard: reads until the other side is gone, then undoes what it had not forgotten."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    left: list[Trace] = []
    for line in sys.stdin:
        with contextlib.suppress(ValueError):
            sign, kind, what = json.loads(line)
            if sign == "+":
                left.append(Trace(kind, what))
            else:
                left.remove(Trace(kind, what))
    _undo_all(left)


if __name__ == "__main__":
    _watch()
