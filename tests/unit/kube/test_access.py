from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from aks_wasm.errors import UsageError
from aks_wasm.kube.access import ClusterAccess


def kubeconfig(folder: Path, **more: Any) -> Path:
    document = {
        "kind": "Config",
        "current-context": "one",
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("one", "two")],
        "clusters": [{"name": "c", "cluster": {"server": "https://x", "certificate-authority": "pki/ca.pem"}}],
        "users": [{"name": "u", "user": {"exec": {"command": "./token"}, "client-key": "/abs/key"}}],
        **more,
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize(("asked", "taken"), [(None, "one"), ("two", "two")])
def test_the_context_asked_for_is_the_current_one(tmp_path: Path, asked: str | None, taken: str) -> None:
    access = ClusterAccess(kubeconfig(tmp_path), asked)
    assert yaml.safe_load(access.text())["current-context"] == taken


def test_paths_are_found_from_any_folder(tmp_path: Path) -> None:
    document = yaml.safe_load(ClusterAccess(kubeconfig(tmp_path)).text())
    assert document["clusters"][0]["cluster"]["certificate-authority"] == str(tmp_path / "pki" / "ca.pem")
    assert document["users"][0]["user"]["exec"]["command"] == str(tmp_path / "token")
    assert document["users"][0]["user"]["client-key"] == "/abs/key"


@pytest.mark.parametrize("text", ["kind: Pod\n", "- 1\n", "{", "kind: Config\n"])
def test_what_is_no_kubeconfig_is_a_usage_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(UsageError):
        ClusterAccess(path).text()


def test_a_context_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        ClusterAccess(kubeconfig(tmp_path), "three").text()
    assert "`three`" in caught.value.message
    assert "one, two" in str(caught.value.hint)


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        ClusterAccess(tmp_path / "none").text()
