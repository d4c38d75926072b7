"""Debian's packages that the bench stands on, installed where they are missing."""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Sequence

from e2e.budget import Budget, OutOfTime
from e2e.engine import NoEngine


def install(packages: Sequence[str], budget: Budget) -> list[str]:
    """Install what is missing; return what that was.

    Raises:
        NoEngine: One can't be had; the message says why.
        OutOfTime: It took longer than the budget.
    """
    absent = [package for package in packages if not _installed(package)]
    if absent:
        _apt_get("update", budget=budget)
        _apt_get("install", "--yes", "--no-install-recommends", *absent, budget=budget)
    return absent


def _apt_get(*arguments: str, budget: Budget) -> None:
    try:
        ran = subprocess.run(
            ["apt-get", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            # RUNLEVEL: docker.io starts no engine itself
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"},
            check=False,
            timeout=None if math.isinf(budget.left) else budget.left,
        )
    except subprocess.TimeoutExpired as error:
        raise OutOfTime("Debian packages not installed in time") from error
    if ran.returncode:
        why = (ran.stderr.strip() or "apt-get").splitlines()[-1]
        raise NoEngine(f"Debian packages cannot be installed: {why}")


def _installed(package: str) -> bool:
    command = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout == "installed"
