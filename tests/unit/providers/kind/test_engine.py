from __future__ import annotations

import json
from pathlib import Path

import pytest

from aks_wasm.errors import ServiceError
from aks_wasm.providers.kind.engine import Container, Engine, find_engine, require_engine
from tests.unit.providers.kind.standins import DOCKER, PODMAN, engine, program


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "cat").symlink_to("/bin/cat")  # all that the stand-ins need: this machine may have engines of its own
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("KIND_EXPERIMENTAL_PROVIDER", raising=False)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return folder


def look(path: Path, **more: str) -> Engine:
    found = find_engine({"PATH": str(path), **more}).engine
    assert found is not None
    return found


def test_docker_is_taken_first_and_says_what_it_is(path: Path) -> None:
    engine(path, "docker", DOCKER)
    engine(path, "podman", PODMAN)
    found = look(path)
    assert found == Engine("docker", "28.2.2", "amd64", 2, rootless=False, storage=Path("/"))
    assert found.environment == {"KIND_EXPERIMENTAL_PROVIDER": "docker"}


def test_podman_is_read_in_its_own_words(path: Path) -> None:
    engine(path, "podman", PODMAN)
    assert look(path) == Engine("podman", "5.6.0", "arm64", 2, rootless=True, storage=None)


def test_nerdctl_speaks_as_docker_does(path: Path) -> None:
    engine(path, "nerdctl", {**DOCKER, "SecurityOptions": ["name=rootless"], "CgroupVersion": "1"})
    found = look(path)
    assert (found.program, found.rootless, found.cgroup) == ("nerdctl", True, 1)


def test_an_engine_that_does_not_answer_makes_room_for_the_next(path: Path) -> None:
    engine(path, "docker", None, code=1, says="Cannot connect to the Docker daemon")
    engine(path, "podman", PODMAN)
    search = find_engine({"PATH": str(path)})
    assert search.engine is not None
    assert search.engine.program == "podman"
    assert [error.code for error in search.refused] == ["EngineSilent"]


def test_an_engine_that_only_complains_does_not_answer(path: Path) -> None:
    """As `docker info --format` of some versions: exit code 0, and the error in the document."""
    engine(path, "docker", {"ServerErrors": ["Cannot connect to the Docker daemon"]})
    search = find_engine({"PATH": str(path)})
    assert search.engine is None
    assert search.why_none == "`docker` is installed and does not answer"
    assert search.refused[0].details == "Cannot connect to the Docker daemon"


def test_kinds_own_variable_names_the_engine(path: Path) -> None:
    engine(path, "docker", DOCKER)
    engine(path, "podman", PODMAN)
    assert look(path, KIND_EXPERIMENTAL_PROVIDER="podman").program == "podman"
    assert look(path, KIND_EXPERIMENTAL_PROVIDER="something").program == "docker"


def test_without_an_engine_the_way_out_is_said(path: Path) -> None:
    search = find_engine({"PATH": str(path)})
    assert search.why_none == "none of docker, nerdctl, finch, podman is installed"


def test_an_engine_that_is_asked_for_and_missing_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(path))
    with pytest.raises(ServiceError, match="no container engine answers") as caught:
        require_engine()
    assert caught.value.code == "EngineMissing"
    assert "embedded" in (caught.value.hint or "")


def test_a_machine_without_shims_is_refused(path: Path) -> None:
    engine(path, "docker", {**DOCKER, "Architecture": "riscv64"})
    search = find_engine({"PATH": str(path)})
    assert search.engine is None
    assert "riscv64" in search.why_none


def test_containers_are_read_with_mounts_address_and_published_port(path: Path) -> None:
    running = {
        "Name": "/hello-control-plane",
        "Config": {"Labels": {"io.x-k8s.kind.role": "control-plane"}},
        "State": {"Running": True},
        "Mounts": [{"Destination": "/opt/aks-wasm/provided", "Source": "/home/kind/hello/provided"}],
        "NetworkSettings": {
            "Networks": {"kind": {"IPAddress": "172.18.0.2"}},
            "Ports": {"6443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "40123"}]},
        },
    }
    stopped = {
        "Name": "hello-worker",
        "Config": {"Labels": {"io.x-k8s.kind.role": "worker"}},
        "State": {"Running": False},
        "Mounts": [],
        "NetworkSettings": {"Networks": {"kind": {"IPAddress": ""}}},
        "HostConfig": {"PortBindings": {"6443/tcp": [{"HostIp": "0.0.0.0", "HostPort": "40124"}]}},
    }
    program(
        path,
        "docker",
        f"case $1 in ps) echo one two;; inspect) cat <<'EOF'\n{json.dumps([stopped, running])}\nEOF\n;;\nesac",
    )
    docker = Engine("docker", "", "amd64", 2, rootless=False, storage=None)
    assert docker.containers("hello") == [
        Container(
            "hello-control-plane",
            "control-plane",
            running=True,
            mounts={"/opt/aks-wasm/provided": "/home/kind/hello/provided"},
            address="172.18.0.2",
            api_server="127.0.0.1:40123",
        ),
        Container("hello-worker", "worker", running=False, api_server="127.0.0.1:40124"),
    ]


def test_an_engine_that_fails_is_named_with_its_own_words(path: Path) -> None:
    program(path, "docker", "echo 'ERROR: disk is full' >&2; exit 1")
    docker = Engine("docker", "", "amd64", 2, rootless=False, storage=None)
    with pytest.raises(ServiceError, match="cannot list containers: disk is full"):
        docker.containers("hello")


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("kindest/node:v1.34.11@sha256:44e2", "docker.io/kindest/node@sha256:44e2"),
        ("kindest/node:v1.34.11", "docker.io/kindest/node:v1.34.11"),
        ("kindest/node@sha256:44e2", "docker.io/kindest/node@sha256:44e2"),
        ("node:1", "docker.io/library/node:1"),
        ("node:1@sha256:44e2", "docker.io/library/node@sha256:44e2"),
        ("localhost/node:1", "localhost/node:1"),
        ("registry.example:5000/node@sha256:44e2", "registry.example:5000/node@sha256:44e2"),
    ],
)
def test_podman_is_asked_for_an_image_as_kind_asks_it(image: str, name: str) -> None:
    podman = Engine("podman", "", "amd64", 2, rootless=False, storage=None)
    docker = Engine("docker", "", "amd64", 2, rootless=False, storage=None)
    assert podman.image_name(image) == name
    assert docker.image_name(image) == image


@pytest.mark.parametrize(
    ("there", "image", "known"),
    [
        ("docker.io/my/node:1", "my/node:1", "docker.io/my/node:1"),
        ("localhost/my/node:1", "my/node:1", "localhost/my/node:1"),
        ("localhost/node:1", "node:1", "localhost/node:1"),
        ("localhost/node:1", "registry.example/node:1", None),
        ("", "my/node:1", None),
    ],
)
def test_podman_finds_what_it_was_given_by_hand(path: Path, there: str, image: str, known: str | None) -> None:
    program(path, "podman", f'test "$3" = "{there}"')
    podman = Engine("podman", "", "amd64", 2, rootless=False, storage=None)
    assert podman.find_image(image) == known
