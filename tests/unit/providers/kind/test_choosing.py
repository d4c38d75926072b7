from __future__ import annotations

from pathlib import Path

import pytest

from aks_wasm.emulator.layout import Layout
from aks_wasm.emulator.local import COLLECTION
from aks_wasm.emulator.state import Documents
from aks_wasm.errors import ServiceError
from aks_wasm.events import Event, StepFinished, StepStarted
from aks_wasm.providers.kind.provider import KindProvider
from aks_wasm.providers.local import choose
from aks_wasm.providers.registry import open_provider
from aks_wasm.settings import Settings
from aks_wasm.spec.models import ClusterSpec
from tests.unit.providers.kind.standins import DOCKER, engine


def spec(engine_name: str = "auto") -> ClusterSpec:
    document = {"metadata": {"name": "hello"}, "target": "local", "local": {"engine": engine_name}}
    return ClusterSpec.model_validate(document)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "cat").symlink_to("/bin/cat")  # all that the stand-ins need: this machine may have engines of its own
    monkeypatch.setenv("PATH", str(folder))
    for name in ("KIND_EXPERIMENTAL_PROVIDER", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)
    return folder


def told(events: list[Event]) -> str:
    assert isinstance(events[0], StepStarted)
    assert isinstance(events[1], StepFinished)
    return events[1].message


def test_auto_takes_kind_where_an_engine_answers_and_says_so(path: Path, tmp_path: Path) -> None:
    engine(path, "docker", DOCKER)
    events: list[Event] = []
    provider = open_provider(spec(), Settings(home=tmp_path), events.append)
    assert isinstance(provider, KindProvider)
    assert (provider.info.supports_arch, provider.info.brings_shims) == (("amd64",), True)
    assert told(events) == "kind, since docker 28.2.2 answers"


def test_auto_takes_the_embedded_engine_where_none_answers_and_says_why(path: Path, tmp_path: Path) -> None:
    engine(path, "docker", None, code=1, says="Cannot connect")
    engine(path, "nerdctl", None, code=1)
    events: list[Event] = []
    assert choose(spec(), Settings(home=tmp_path), events.append) is None
    assert told(events) == (
        "embedded, since no container engine answers "
        "(`docker` is installed and does not answer; `nerdctl` is installed and does not answer)"
    )


def test_auto_stays_with_the_cluster_that_is_there(path: Path, tmp_path: Path) -> None:
    engine(path, "docker", DOCKER)
    (path / "docker").write_text(
        (path / "docker").read_text().replace("#!/bin/sh\n", "#!/bin/sh\ntest $1 = ps && exit\n")
    )
    layout = Layout.of(tmp_path)
    layout.make()
    documents = Documents(layout.state)
    documents.put(COLLECTION, "hello", {"name": "hello"})
    documents.close()
    events: list[Event] = []
    assert choose(spec(), Settings(home=tmp_path), events.append) is None
    assert told(events) == "embedded, since the cluster `hello` is there already"


def test_an_engine_that_is_named_is_taken_without_a_word(path: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    assert choose(spec("embedded"), Settings(home=tmp_path), events.append) is None
    engine(path, "docker", DOCKER)
    found = choose(spec("kind"), Settings(home=tmp_path), events.append)
    assert found is not None
    assert found.program == "docker"
    assert events == []


def test_kind_without_an_engine_is_an_error_with_a_way_out(path: Path, tmp_path: Path) -> None:
    engine(path, "docker", None, code=1)
    engine(path, "nerdctl", None, code=1)
    with pytest.raises(ServiceError, match="no container engine answers: `docker` is installed") as caught:
        open_provider(spec("kind"), Settings(home=tmp_path))
    assert "local.engine: embedded" in (caught.value.hint or "")
