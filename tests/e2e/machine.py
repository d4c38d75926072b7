"""The bench as its tests see it: programs, engine, node images, and clusters made directly with kind."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

VARIANTS = ("aks2404", "containerd1", "containerd2")
COMMAND_SECONDS = 300


class CommandFailed(AssertionError):
    """A program of the bench did not succeed; the message has all it printed."""


@dataclass(frozen=True)
class Machine:
    """What `scripts/e2e` set up.

    Attributes:
        root: The bench's folder.
        environment: Of every program that is run: the bench's PATH and engine, a HOME of the tests' own.
        program: The client of the engine that the product is to use.
    """

    root: Path
    environment: dict[str, str]
    program: str = "docker"

    @classmethod
    def from_environment(cls, home: Path) -> Machine | None:
        """Take what `scripts/e2e` has put into the environment; None when it did not start these tests."""
        named = os.environ.get("AKS_WASM_E2E_CACHE")
        if not named:
            return None
        environment = {name: os.environ[name] for name in ("PATH", "DOCKER_HOST", "LANG") if name in os.environ}
        return cls(Path(named), {**environment, "HOME": str(home)})

    @property
    def programs(self) -> Path:
        return self.root / "bin"

    @property
    def shim(self) -> Path:
        return self.programs / "containerd-shim-wasmtime-v1"

    @property
    def apps(self) -> Path:
        return self.root / "apps"

    def node_image(self, variant: str) -> str:
        return f"aks-wasm-e2e/node:{variant}"

    def run(self, *command: str | Path, text: str | None = None, check: bool = True, **environment: str) -> str:
        """Run a program; return its stdout, or both streams when it may fail."""
        ran = subprocess.run(
            [str(part) for part in command],
            input=text,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if check and ran.returncode:
            line = " ".join(map(str, command))
            raise CommandFailed(f"`{line}` ended with {ran.returncode}\n{ran.stdout}\n{ran.stderr}")
        return ran.stdout if check else ran.stdout + ran.stderr

    def engine(self, *arguments: str, check: bool = True) -> str:
        """Ask the engine that the product is to use."""
        return self.run(self.program, *arguments, check=check)

    def docker(self, *arguments: str, check: bool = True) -> str:
        return self.run("docker", *arguments, check=check)
