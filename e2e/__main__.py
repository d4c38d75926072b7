"""`scripts/e2e [VERB]`: without a verb sets the bench up, runs tests/e2e on it, and stops what it started."""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import signal
import subprocess
import sys
import time
from types import FrameType

from e2e.artefacts import BuildFailed
from e2e.bench import Bench
from e2e.budget import SET_UP_SHARE, VARIABLE, Budget, OutOfTime
from e2e.engine import NoEngine
from e2e.places import CHECKOUT, Places

USAGE = """usage: scripts/e2e [VERB] [pytest's arguments]
  (none), run       set up, run tests/e2e, remove its clusters, stop the engine if it was started here
  build             every artefact and node image; leaves the engine running
  engine start|stop the bench's own container engine
  env               variables for a shell: eval "$(scripts/e2e env)"
Everything is built and cached under ${AKS_WASM_E2E_CACHE:-~/.cache/aks-wasm-e2e}.
AKS_WASM_E2E_MINUTES limits a run: set-up gets four fifths of them, and no case begins after the last; what is left out
is told as skipped."""
SECONDS_TO_END = 60.0  # what the tests get to take away what they made when this is told to end
SECONDS_OF_HANGING = 1500.0  # a case may take 600, and once more when it failed
SKIPPED = 0  # nothing is wrong with the project where no bench can be


def main(arguments: list[str]) -> int:
    """Do one verb; return the exit code."""
    try:
        budget = Budget.from_environment()
    except ValueError:
        print(f"e2e: {VARIABLE} is no number of minutes: {os.environ[VARIABLE]!r}", file=sys.stderr)
        return 2
    bench = Bench(Places.from_environment(), tell)
    if arguments[:1] in (["-h"], ["--help"]):
        print(USAGE)
        return 0
    try:
        return _do(bench, budget, arguments)
    except (NoEngine, OutOfTime) as error:
        print(f"e2e: skipped: {error}")
        return SKIPPED
    except BuildFailed as error:
        print(f"e2e: failed: {error}", file=sys.stderr)
        return 1


def _do(bench: Bench, budget: Budget, arguments: list[str]) -> int:
    verb, *rest = arguments if arguments and not arguments[0].startswith("-") else ["run", *arguments]
    match [verb, *rest]:
        case ["run", *_]:
            return run(bench, budget, rest)
        case ["build"]:
            bench.set_up(budget)
        case ["engine", "start"]:
            bench.start_engine()
        case ["engine", "stop"]:
            bench.stop_engine()
        case ["env"]:
            for name, value in bench.places.variables().items():
                print(f"export {name}={shlex.quote(value)}")
        case _:
            print(USAGE, file=sys.stderr)
            return 2
    return 0


def run(bench: Bench, budget: Budget, arguments: list[str]) -> int:
    """Set up, test, stop: the test runner's summary is the last thing printed, nothing that was started stays."""
    started = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        bench.set_up(budget.share(SET_UP_SHARE))
        bench.remove_leftovers()
        tell(f"bench ready after {time.monotonic() - started:.0f} s; running tests/e2e")
        return _test(bench, budget, arguments)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # what is left to do is short
        bench.remove_leftovers()
        bench.stop_engine(only_own=True)


def _test(bench: Bench, budget: Budget, arguments: list[str]) -> int:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/e2e",
        "--with-e2e",
        "--durations=0",
        "--durations-min=5",
        f"--override-ini=faulthandler_timeout={SECONDS_OF_HANGING}",
        *arguments,
    ]
    variables = {**os.environ, **bench.places.variables(), **budget.variables()}
    process = subprocess.Popen(command, cwd=CHECKOUT, env=variables, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait(None if math.isinf(budget.left) else budget.left + SECONDS_OF_HANGING)
    except subprocess.TimeoutExpired:
        tell("the tests did not end in time")
        return 1
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # it takes its clusters away itself
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS_TO_END)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def tell(line: str) -> None:
    """Say what happens, at once."""
    print(f"e2e: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
