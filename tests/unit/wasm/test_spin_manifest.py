from __future__ import annotations

from pathlib import Path

import pytest

from aks_wasm.errors import SpecInvalid, UsageError
from aks_wasm.wasm.spin_manifest import SpinApp, load

VERSION_2 = """
spin_manifest_version = 2
[application]
name = "shop"
[application.trigger.http]
base = "/"
[variables]
greeting = { default = "hi" }
[[trigger.http]]
route = "/..."
component = "front"
[[trigger.http]]
route = { private = true }
component = "back"
executor = { type = "wagi", argv = "a b", entrypoint = "go" }
[[trigger.redis]]
channel = "jobs"
component = { source = "worker.wasm" }
[component.front]
source = "front.wasm"
files = ["static/*", { source = "data", destination = "/data" }]
exclude_files = ["static/*.tmp"]
environment = { COLOUR = "red" }
[component.front.build]
command = "make"
[component.back]
source = { url = "https://example.com/back.wasm", digest = "sha256:00" }
"""

VERSION_1 = """
spin_manifest_version = "1"
name = "old"
trigger = { type = "http", base = "/base" }
[[component]]
id = "one"
source = "one.wasm"
[component.trigger]
route = "/one"
executor = { type = "wagi" }
[[component]]
id = "two"
source = "two.wasm"
[component.trigger]
route = "/two"
"""


def read(folder: Path, text: str) -> SpinApp:
    path = folder / "spin.toml"
    path.write_text(text)
    return load(path)


def problems_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(SpecInvalid) as caught:
        read(folder, text)
    return [str(problem) for problem in caught.value.problems]


def test_version_2_is_read_with_inline_components_and_private_routes(tmp_path: Path) -> None:
    app = read(tmp_path, VERSION_2)
    assert (app.version, app.name) == (2, "shop")
    assert [component.id for component in app.components] == ["front", "back", "inline-redis-0"]
    front, back, worker = app.components
    assert front.environment == {"COLOUR": "red"}
    assert [(f.source, f.destination) for f in front.files] == [("static/*", None), ("data", "/data")]
    assert front.exclude_files == ("static/*.tmp",)
    assert back.source is None
    assert back.remote["url"] == "https://example.com/back.wasm"
    assert app.source_path(worker) == tmp_path / "worker.wasm"
    assert [(t.type, t.component, t.route, t.executor) for t in app.triggers] == [
        ("http", "front", "/...", "http"),
        ("http", "back", None, "wagi"),
        ("redis", "inline-redis-0", None, "http"),
    ]
    assert (app.triggers[1].argv, app.triggers[1].entrypoint) == ("a b", "go")


def test_version_1_is_read_with_its_base(tmp_path: Path) -> None:
    app = read(tmp_path, VERSION_1)
    assert (app.version, app.base) == (1, "/base")
    assert [(t.component, t.route, t.executor) for t in app.triggers] == [
        ("one", "/one", "wagi"),
        ("two", "/two", "http"),
    ]
    assert app.component("two") is app.components[1]
    assert app.component("three") is None


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        """
        spin_manifest_version = 2
        [application]
        nmae = "shop"
        [[trigger.http]]
        route = "no-slash"
        component = "nobody"
        executor = { type = "cgi" }
        [component.Web_app]
        source = 7
        enviroment = {}
        """,
    )
    text = "\n".join(found)
    assert "application.name: is missing" in text
    assert "application.nmae: is not a field here (did you mean `name`?)" in text
    assert "trigger.http.0.component: there is no component `nobody`" in text
    assert "trigger.http.0.route" in text
    assert "`cgi` is not one of spin, http, wagi" in text
    assert "component.Web_app.source: should be a string or a table" in text
    assert "component.Web_app.enviroment: is not a field here (did you mean `environment`?)" in text
    assert "component.Web_app: an id is lower-case words" in text


def test_a_missing_version_and_a_wrong_one_are_told(tmp_path: Path) -> None:
    assert "it is missing" in problems_of(tmp_path, 'name = "x"')[0]
    assert "it is 3" in problems_of(tmp_path, "spin_manifest_version = 3")[0]


def test_an_application_without_components_or_triggers_is_refused(tmp_path: Path) -> None:
    found = problems_of(tmp_path, 'spin_manifest_version = 2\n[application]\nname = "x"\n[trigger]\n')
    assert any("there is none" in problem for problem in found)
    assert any("nothing starts a component" in problem for problem in found)


def test_twins_of_version_1_are_refused(tmp_path: Path) -> None:
    assert any("two of the id `one`" in p for p in problems_of(tmp_path, VERSION_1.replace("two", "one")))


def test_a_remote_source_without_a_digest_is_refused(tmp_path: Path) -> None:
    found = problems_of(tmp_path, VERSION_2.replace(', digest = "sha256:00"', ""))
    assert any("component.back.source.digest" in problem for problem in found)


def test_a_file_that_is_missing_or_no_toml_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no Spin manifest"):
        load(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="is not TOML"):
        read(tmp_path, "a = = b")
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path)
