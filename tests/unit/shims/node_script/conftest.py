"""The node of the script's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.shims.node_script.machines import ARCH, SHELL, Node


@pytest.fixture(scope="session", autouse=True)
def answers(tmp_path_factory: pytest.TempPathFactory) -> None:
    Node.answers = tmp_path_factory.mktemp("answers")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node.of(tmp_path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and not (SHELL and ARCH):
            item.add_marker(pytest.mark.skip(reason="needs dash on x86-64 or arm64 Linux"))
