"""`.ci/run` with stand-ins for the scripts it calls: what ends as what, and which line is the last."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / ".ci/run"
PASSED = "echo '===== 9 passed in 1.00s ====='"
FAILED = "echo '===== 1 failed, 8 passed in 1.00s ====='; exit 1"
SKIPPED = "echo 'e2e: skipped: no engine can run here'"


class Checkout:
    """A folder with nothing but `.ci/run` and the stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("scripts/install-az", "exit 1")
        self.write("scripts/e2e", 'echo "minutes: $AKS_WASM_E2E_MINUTES"; echo "===== 5 passed in 2.00s ====="')
        (folder / ".ci").mkdir()
        shutil.copy(RUN, folder / ".ci/run")

    def write(self, path: str, script: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def start(self, **more: str) -> subprocess.Popen[str]:
        environment = {"PATH": os.environ["PATH"], "CI": "true", "HOME": "", **more}
        return subprocess.Popen([self.folder / ".ci/run"], env=environment, stdout=subprocess.PIPE, text=True)

    def __call__(self, **more: str) -> tuple[int, list[str]]:
        process = self.start(**more)
        told, _ = process.communicate(timeout=60)
        return process.returncode, told.splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_bench_has_the_last_word_when_cases_ran(checkout: Checkout) -> None:
    checkout.write("scripts/test", PASSED)
    code, lines = checkout()
    assert code == 0
    assert lines[-2:] == ["minutes: 58", "===== 5 passed in 2.00s ====="]


def test_a_bench_that_ran_no_case_leaves_the_last_word_to_the_tests(checkout: Checkout) -> None:
    checkout.write("scripts/test", PASSED)
    checkout.write("scripts/e2e", SKIPPED)
    code, lines = checkout()
    assert code == 0
    assert "e2e: skipped: no engine can run here" in lines
    assert lines[-1] == "===== 9 passed in 1.00s ====="


@pytest.mark.parametrize(("again", "code"), [("echo '===== 1 passed in 0.10s ====='", 0), (FAILED, 1)])
def test_what_failed_is_run_once_more_and_that_counts(checkout: Checkout, again: str, code: int) -> None:
    checkout.write("scripts/test", FAILED)
    checkout.write(".venv/bin/python", f'echo "$@"\n{again}')
    ended, lines = checkout()
    assert ended == code
    assert any("--last-failed" in line for line in lines)
    assert lines[-1] == "===== 5 passed in 2.00s ====="


def test_a_case_of_the_bench_that_fails_fails_all(checkout: Checkout) -> None:
    checkout.write("scripts/test", PASSED)
    checkout.write("scripts/e2e", FAILED)
    code, lines = checkout()
    assert code != 0
    assert lines[-1] == "===== 1 failed, 8 passed in 1.00s ====="


def test_a_check_that_fails_ends_it(checkout: Checkout) -> None:
    checkout.write("scripts/test", "echo 'E501 Line too long'; exit 3")
    code, lines = checkout()
    assert code == 3
    assert lines == ["E501 Line too long"]


def test_tests_that_hang_are_interrupted_and_fail_it(checkout: Checkout) -> None:
    checkout.write(
        "scripts/test", "trap \"echo '===== 8 passed in 1.00s ====='; exit 2\" INT; while :; do sleep 0.1; done"
    )
    code, lines = checkout(AKS_WASM_TEST_SECONDS="1")
    assert code == 124
    assert lines == ["===== 8 passed in 1.00s =====", "scripts/test did not end within 1 s"]


def test_what_runs_can_be_interrupted_and_ends_with_it(checkout: Checkout) -> None:
    checkout.write(
        "scripts/test", 'trap "echo told to end; exit 1" TERM; grep SigIgn /proc/self/status; sleep 30 & wait $!'
    )
    process = checkout.start()
    assert process.stdout is not None
    ignored = int(process.stdout.readline().split()[1], 16)
    assert not ignored >> signal.SIGINT - 1 & 1
    process.terminate()
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "told to end" in told
