"""What this machine has for a local cluster, with programs on PATH that answer as engines and kind do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aks_wasm.spec.models import ClusterSpec
from aks_wasm.workflows.doctor.machine import look_at_machine
from aks_wasm.workflows.doctor.ways import Ways
from tests.unit.providers.kind.standins import DOCKER, engine, program

WAYS = Ways(spec_arguments=("--local",))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")  # the stand-ins are shell scripts
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "docker")  # and no engine of this machine is to be found
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return folder


def spec(**local: Any) -> ClusterSpec:
    return ClusterSpec.model_validate({"metadata": {"name": "hello"}, "target": "local", "local": local})


@pytest.mark.parametrize("other", [{"target": "azure"}, {"target": "local", "local": {"engine": "embedded"}}])
def test_nothing_is_asked_of_a_machine_that_carries_no_nodes(path: Path, other: dict[str, Any]) -> None:
    assert look_at_machine(ClusterSpec.model_validate({"metadata": {"name": "a"}, **other}), path, WAYS) == ([], [])


def test_no_engine_is_a_finding_where_one_was_asked_for(path: Path) -> None:
    engine(path, "docker", None, code=1, says="Cannot connect to the Docker daemon")
    (check,), (finding,) = look_at_machine(spec(engine="kind"), path, WAYS)
    assert (check.name, check.state) == ("engine", "found")
    assert (finding.code, finding.object) == ("NoEngine", "this machine")
    assert "`docker` is installed and does not answer" in finding.message
    assert "Cannot connect to the Docker daemon" in str(finding.evidence)
    assert finding.command == "sudo systemctl start docker"


def test_where_no_engine_is_installed_the_embedded_one_is_the_way_out(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(path))
    _, (finding,) = look_at_machine(spec(engine="kind"), path, WAYS)
    assert finding.command == "aks-wasm up --local --set local.engine=embedded"


def test_no_engine_is_fine_where_the_embedded_one_takes_its_place(path: Path) -> None:
    engine(path, "docker", None, code=1, says="Cannot connect to the Docker daemon")
    (check,), findings = look_at_machine(spec(), path, WAYS)
    assert (check.state, findings) == ("skipped", [])
    assert "the embedded engine takes its place" in check.about


def test_engine_and_kind_are_told_with_their_versions(path: Path) -> None:
    engine(path, "docker", DOCKER)
    program(path, "kind", "echo 'kind v0.33.0 go1.26.1 linux/amd64'")
    checks, findings = look_at_machine(spec(), path, WAYS)
    assert findings == []
    assert [(check.name, check.state) for check in checks] == [("engine", "ok"), ("kind", "ok")]
    assert "docker 28.2.2 answers (amd64, cgroup v2)" in checks[0].about
    assert "is v0.33.0, which this tool was tested with" in checks[1].about


def test_a_kind_out_of_range_is_replaced_by_one_to_download(path: Path) -> None:
    engine(path, "docker", DOCKER)
    program(path, "kind", "echo 'kind v0.11.1 go1.16 linux/amd64'")
    checks, findings = look_at_machine(spec(), path, WAYS)
    assert findings == []
    assert "is v0.11.1, kind v0.33.0 for " in checks[1].about
    assert "is downloaded by `up`" in checks[1].about
