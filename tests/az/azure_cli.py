"""The real az and kubectl, run as their user runs them, against an emulator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.running_emulator import RunningEmulator

# Both are looked up when the tests are collected: their environment, once they run, is empty.
AZ = os.environ.get("AKS_WASM_TEST_AZ") or shutil.which("az")
KUBECTL = shutil.which("kubectl")
PATH = os.environ["PATH"]
CLOUD = "aks-wasm-emulator"
CONTAINER_SERVICE = ("--namespace", "Microsoft.ContainerService")
NOWHERE = "http://127.0.0.1:9"  # a proxy that is not there: az asks nobody but the emulator
ANSWER_SECONDS = 110

needs_az = [
    pytest.mark.az,
    pytest.mark.timeout(300),  # az starts in half a second of processor time, which a busy machine makes into many
    pytest.mark.skipif(AZ is None, reason="no az on PATH, and AKS_WASM_TEST_AZ names none; see scripts/install-az"),
]


class Az:
    """An az with a configuration of its own that knows the emulator's cloud.

    Attributes:
        emulator: Where it sends everything.
        account: What one signs in with, by the names that `emulator env` gives.
        home: Its HOME.
    """

    def __init__(self, emulator: RunningEmulator, home: Path) -> None:
        self.emulator = emulator
        self.account: Mapping[str, str] = emulator.environment
        self.home = home
        self._environment = {
            **self.account,
            "PATH": PATH,
            "HOME": str(home),
            "AZURE_CONFIG_DIR": str(home / "az"),
            "HTTPS_PROXY": NOWHERE,
        }
        self("cloud", "register", "-n", CLOUD, "--endpoint-resource-manager", emulator.url)
        self("cloud", "set", "-n", CLOUD)

    def sign_in(self, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run `az login` with what `emulator env` gives, or with `secret=` another one."""
        account = self.account
        user, secret = account["AZURE_CLIENT_ID"], changes.get("secret", account["AZURE_CLIENT_SECRET"])
        known = ("-u", user, "-p", secret, "-t", account["AZURE_TENANT_ID"])
        return self.run("login", "--service-principal", *known)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run az to its end, however that is."""
        return subprocess.run(
            [str(AZ), *arguments],
            env=self._environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=ANSWER_SECONDS,
        )

    def __call__(self, *arguments: str) -> Any:
        """Run az, which must succeed; return what it printed, read as JSON."""
        done = self.run(*arguments, "-o", "json")
        assert done.returncode == 0, f"az {' '.join(arguments)}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refusal(self, *arguments: str) -> str:
        """Run az, which must fail; return the first line of what it says."""
        done = self.run(*arguments)
        assert done.returncode in {1, 3}, f"az {' '.join(arguments)} ended with {done.returncode}: {done.stderr}"
        return next(line for line in done.stderr.splitlines() if line.startswith("ERROR: "))

    @contextmanager
    def beside(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Run az while something else goes on."""
        with subprocess.Popen(
            [str(AZ), *arguments, "-o", "json"],
            env=self._environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def kubectl(self, kubeconfig: Path, *arguments: str) -> Any:
        """Run kubectl with a file that az wrote; return what it printed, read as JSON."""
        assert KUBECTL is not None
        done = subprocess.run(
            [KUBECTL, "--kubeconfig", str(kubeconfig), *arguments, "-o", "json"],
            env={"PATH": PATH, "HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
            timeout=ANSWER_SECONDS,
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return json.loads(done.stdout)

    def make_cluster(self, group: str, location: str) -> None:
        """Make a group and in it cluster `c` with one node, waiting not longer than the emulator needs."""
        self("group", "create", "-n", group, "-l", location)
        self.add_cluster(group, "c")

    def add_cluster(self, group: str, cluster: str) -> None:
        """Make a cluster with one node in a group that is there."""
        place = ("-g", group, "-n", cluster)
        size = ("--node-count", "1", "--node-vm-size", "Standard_D2ps_v5")
        # Without --no-wait az looks again after 30 s only: AKS's polls carry no Retry-After.
        self("aks", "create", *place, *size, "--no-ssh-key", "--no-wait")
        self("aks", "wait", *place, "--created", "--interval", "1")
