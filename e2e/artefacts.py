"""Artefacts are built once, side by side, each in a folder whose name carries the key of all that went into it."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from e2e.budget import Budget, OutOfTime
from e2e.places import SOURCES, Places
from e2e.recipe_code import code_of

LANES = 3  # two that compile and one that mostly downloads: what two cores bear
TAIL = 25  # lines of a failed step's log that are shown


class BuildFailed(Exception):
    """A step of the bench did not succeed; the message names its log."""


@dataclass(frozen=True)
class Recipe:
    """How one artefact comes about.

    Attributes:
        name: Of the artefact, its folder and its log.
        make: Fills the folder it is given.
        versions: Pins that the key is made of.
        sources: Files and folders below `e2e/` that the key is made of.
        needs: Artefacts this one is made from.
    """

    name: str
    make: Callable[[Workshop], None]
    versions: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    needs: tuple[Recipe, ...] = ()

    @property
    def key(self) -> str:
        """Change when a pin, a source, a need or the recipe's own code changes."""
        told = [self.name, *self.versions, *(need.key for need in self.needs), code_of(self.make)]
        told += [f"{path}:{digest}" for path, digest in sorted(digests(self.sources).items())]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]


def digests(sources: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of every file at or below the paths; what Python leaves beside them does not count."""
    found: dict[str, str] = {}
    for source in sources:
        place = SOURCES / source
        for file in [place] if place.is_file() else sorted(place.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                mode = "x" if os.access(file, os.X_OK) else "-"
                found[str(file.relative_to(SOURCES))] = mode + hashlib.sha256(file.read_bytes()).hexdigest()
    return found


@dataclass(frozen=True)
class Workshop:
    """What a recipe works with: the folder to fill, the needs' folders, a log for every command it runs."""

    places: Places
    folder: Path
    log: Path
    stop: threading.Event

    def artefact(self, recipe: Recipe) -> Path:
        """Return a finished need's folder."""
        return folder_of(recipe, self.places)

    def run(self, *command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        """Run a command; what it prints goes to the log.

        Raises:
            BuildFailed: It failed, or another recipe did.
        """
        with self.log.open("ab") as log:
            log.write(f"$ {' '.join(map(str, command))}\n".encode())
            log.flush()
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that compilers it starts end with it
            )
            try:
                while process.poll() is None and not self.stop.wait(0.2):
                    pass
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        if process.returncode:
            raise BuildFailed(f"`{' '.join(map(str, command))[:120]}` ended with {process.returncode}")

    def output(self, *command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
        """Return what a quick command prints on stdout."""
        with self.log.open("ab") as log:
            ran = subprocess.run(
                [str(part) for part in command],
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                check=False,
            )
        if ran.returncode:
            raise BuildFailed(f"`{' '.join(map(str, command))[:120]}` ended with {ran.returncode}")
        return ran.stdout


def folder_of(recipe: Recipe, places: Places) -> Path:
    """Return where the recipe's artefact lies, or will lie."""
    return places.artefacts / f"{recipe.name}-{recipe.key}"


def missing(recipes: Sequence[Recipe], places: Places) -> list[Recipe]:
    """Return those that are not built in this version."""
    return [recipe for recipe in recipes if not folder_of(recipe, places).is_dir()]


def build(recipes: Sequence[Recipe], places: Places, tell: Callable[[str], None], budget: Budget) -> None:
    """Build what is missing, side by side; needs come first in `recipes`.

    Raises:
        BuildFailed: One could not be built; the others' commands are ended then.
        OutOfTime: It took too long; what is done is kept for the next time.
    """
    stop = threading.Event()
    futures: dict[Recipe, Future[None]] = {}
    with ThreadPoolExecutor(LANES) as lanes:
        for recipe in missing(recipes, places):
            waits = [futures[need] for need in recipe.needs if need in futures]
            futures[recipe] = lanes.submit(_build_one, recipe, waits, places, stop, tell)
        try:
            _, late = wait(futures.values(), None if math.isinf(budget.left) else budget.left)
        finally:  # also when this process is told to end
            stop.set()
    if late:
        names = ", ".join(recipe.name for recipe, future in futures.items() if future in late)
        raise OutOfTime(f"{names} not built in time")
    for future in futures.values():
        future.result()


def _build_one(
    recipe: Recipe, waits: Sequence[Future[None]], places: Places, stop: threading.Event, tell: Callable[[str], None]
) -> None:
    for future in waits:
        future.result()
    started = time.monotonic()
    done = folder_of(recipe, places)
    log = places.logs / f"{recipe.name}.log"
    folder = done.with_name(f"{done.name}.building")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    try:
        recipe.make(Workshop(places, folder, log, stop))
    except (BuildFailed, OSError, subprocess.SubprocessError) as error:
        if stop.is_set():
            raise BuildFailed(f"{recipe.name}: given up") from error
        stop.set()
        last = "\n".join(log.read_text(errors="replace").splitlines()[-TAIL:])
        raise BuildFailed(f"{recipe.name}: {error}\n{last}\nsee {log}") from error
    for old in places.artefacts.glob(f"{recipe.name}-????????????"):
        shutil.rmtree(old, ignore_errors=True)
    folder.rename(done)
    tell(f"{recipe.name}: {time.monotonic() - started:.0f} s")
