"""`scripts/e2e [VERB]`: without a verb sets the bench up, runs tests/e2e on it, and stops what it started."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time

from e2e.artefacts import BuildFailed
from e2e.bench import Bench
from e2e.engine import NoEngine
from e2e.places import CHECKOUT, Places

USAGE = """usage: scripts/e2e [VERB] [pytest's arguments]
  (none), run       set up, run tests/e2e, stop the engine if it was started here
  build             every artefact and node image; leaves the engine running
  engine start|stop the bench's own container engine
  env               variables for a shell: eval "$(scripts/e2e env)"
Everything is built and cached under ${AKS_WASM_E2E_CACHE:-~/.cache/aks-wasm-e2e}."""
SKIPPED = 0  # nothing is wrong with the project where no bench can be


def main(arguments: list[str]) -> int:
    """Do one verb; return the exit code."""
    bench = Bench(Places.from_environment(), tell)
    if arguments[:1] in (["-h"], ["--help"]):
        print(USAGE)
        return 0
    try:
        return _do(bench, arguments)
    except NoEngine as error:
        print(f"e2e: skipped: {error}")
        print("0 passed, 0 failed, 1 skipped")
        return SKIPPED
    except BuildFailed as error:
        print(f"e2e: failed: {error}", file=sys.stderr)
        return 1


def _do(bench: Bench, arguments: list[str]) -> int:
    verb, *rest = arguments if arguments and not arguments[0].startswith("-") else ["run", *arguments]
    match [verb, *rest]:
        case ["run", *_]:
            return run(bench, rest)
        case ["build"]:
            bench.set_up()
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


def run(bench: Bench, arguments: list[str]) -> int:
    """Set up, test, stop: the test runner's summary is the last thing printed."""
    started = time.monotonic()
    bench.set_up()
    tell(f"bench ready after {time.monotonic() - started:.0f} s; running tests/e2e")
    command = [sys.executable, "-m", "pytest", "tests/e2e", "--with-e2e", *arguments]
    try:
        return subprocess.run(
            command, cwd=CHECKOUT, env={**os.environ, **bench.places.variables()}, check=False
        ).returncode
    finally:
        bench.stop_engine(only_own=True)


def tell(line: str) -> None:
    """Say what happens, at once."""
    print(f"e2e: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
