"""Where the emulator keeps what, below `<home>/emulator`, and the locks that keep two of it apart."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aks_wasm.errors import AksWasmError

PRIVATE = 0o700  # mode of every folder: keys, secrets and state are inside


@dataclass(frozen=True)
class Layout:
    """The emulator's folder.

    Attributes:
        root: `<home>/emulator`.
    """

    root: Path

    @classmethod
    def of(cls, home: Path) -> Layout:
        """Return the layout below AKS_WASM_HOME."""
        return cls(home.absolute() / "emulator")

    @property
    def state(self) -> Path:
        """The documents of the emulator and all its clusters."""
        return self.root / "state.db"

    @property
    def certificate(self) -> Path:
        """The certificate that signs the front door's."""
        return self.root / "ca.pem"

    @property
    def bundle(self) -> Path:
        """The same after the public authorities, for clients that take one file only."""
        return self.root / "ca-bundle.pem"

    @property
    def information(self) -> Path:
        """What a running daemon says about itself: pid, url, token; mode 0600."""
        return self.root / "daemon.json"

    @property
    def log(self) -> Path:
        """What the daemon has to say."""
        return self.root / "daemon.log"

    @property
    def daemon_lock(self) -> Path:
        """Held by the daemon for its life."""
        return self.root / "daemon.lock"

    @property
    def launch_lock(self) -> Path:
        """Held by whoever starts or stops the daemon."""
        return self.root / "launch.lock"

    @property
    def clusters(self) -> Path:
        """One folder for each cluster."""
        return self.root / "clusters"

    @property
    def registry(self) -> Path:
        """What was pushed."""
        return self.root / "registry"

    @property
    def incoming(self) -> Path:
        """Image archives on their way in."""
        return self.root / "incoming"

    @property
    def azure_config(self) -> Path:
        """The `az` configuration of those who use the emulator, apart from their real one."""
        return self.root / "az"

    def make(self) -> None:
        """Make the folder.

        Raises:
            AksWasmError: It can't be made.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
        except OSError as error:
            raise unwritable(self.root, error) from error


class FileLock:
    """An exclusive lock on a file; the kernel gives it back when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock and write our pid into the file; False when somebody else has it.

        Raises:
            AksWasmError: The file can't be opened for writing.
        """
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unwritable(self._path, error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        # The lock counts, the pid only helps: a full disk must not keep anybody from stopping the emulator.
        with suppress(OSError):
            os.ftruncate(handle, os.pwrite(handle, str(os.getpid()).encode(), 0))
        self._handle = handle
        return True

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def holder(self) -> int | None:
        """Return the pid that the holder wrote, or None."""
        try:
            text = self._path.read_text()
        except OSError:
            return None
        return int(text) if text.isdigit() else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.release()


def unwritable(path: Path, error: OSError) -> AksWasmError:
    """Return the error for a file of the emulator that the system refuses."""
    return AksWasmError(
        f"`{path}` can't be written: {error.strerror or error}",
        code="HomeUnwritable",
        hint="free space there, or set `AKS_WASM_HOME` to a folder you may write to",
    )
