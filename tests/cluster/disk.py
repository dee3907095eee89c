"""A small file system that can be filled and freed."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess

from . import undo
from .programs import hand_over, scratch_parent


class NotPermitted(Exception):
    """This user or this machine may not mount: the test can't be made here, and should say so."""


class SmallDisk:
    """A tmpfs of `megabytes` at `path` until the end of the `with` block. Needs root. Raises `NotPermitted`.

    A cluster's data goes to `data` (`Cluster(data_directory=disk.data)`), which needs about 60 MB to begin with; with
    `wal_apart=True` 40 MB, and a full disk then fails statements while the server runs on. Where the log of changes is on the full
    disk too, PostgreSQL crashes, and then recovers by itself or ends, as it finds room.
    """

    def __init__(self, megabytes: int = 96) -> None:
        self.megabytes = megabytes

    def __enter__(self) -> SmallDisk:
        self.path, trace = undo.directory(scratch_parent(), "scaivault-disk-")
        self._traces = [trace]
        options = f"size={self.megabytes}m,mode=0711"
        if os.geteuid() == 0:
            self._traces.insert(0, undo.remember(undo.Trace("mount", str(self.path))))
            mounted = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", options, "scaivault-small-disk", str(self.path)], capture_output=True, text=True,
            )
        if os.geteuid() != 0 or mounted.returncode != 0:
            why = "only root may mount a small disk" if os.geteuid() != 0 else mounted.stderr.strip()
            self.__exit__()
            raise NotPermitted(why)
        self.data = self.path / "data"
        self.data.mkdir(mode=0o700)
        hand_over(self.data)
        return self

    def __exit__(self, *_: object) -> None:
        for trace in self._traces:
            undo.undo(trace)
        self._traces = []

    @property
    def _ballast(self) -> pathlib.Path:
        return self.path / "ballast"

    def left(self) -> int:
        """Bytes that are free."""
        room = os.statvfs(self.path)
        return room.f_bavail * room.f_frsize

    def fill(self, leave: int = 0) -> None:
        """Takes what is free, to the last block, but for `leave` bytes."""
        with open(self._ballast, "ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while self.left() >= leave + size and file.write(b"\0" * size):
                        pass

    def free(self) -> None:
        """Gives it back."""
        self._ballast.unlink(missing_ok=True)
