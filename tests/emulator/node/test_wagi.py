"""Spin applications on a node: routes, CGI variables, failures."""

from __future__ import annotations

import pytest

from aks_wasm.emulator.node.runtimes import Runtime
from tests.emulator.node.http_client import Answer, fetch
from tests.emulator.node.rehearsal import TRAPS, Rehearsal, exits_with, shows_files, wat

# Writes its whole environment, one variable a line, behind an empty line.
SHOWS_ENVIRONMENT = wat(
    """(module
      (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 2)
      (data (i32.const 100) "content-type: text/plain\\0a\\0a")
      (func $out (param $at i32) (param $length i32)
        (i32.store (i32.const 16) (local.get $at))
        (i32.store (i32.const 20) (local.get $length))
        (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24))))
      (func (export "_start") (local $at i32)
        (drop (call $sizes (i32.const 0) (i32.const 4)))
        (drop (call $get (i32.const 1000) (i32.const 20000)))
        (call $out (i32.const 100) (i32.const 26))
        (call $out (i32.const 20000) (i32.load (i32.const 4)))))"""
)
SILENT = wat('(module (memory (export "memory") 1) (func (export "_start")))')
WRITES = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 100) "{text}")
  (data (i32.const 0) "\\64\\00\\00\\00\\{length:02x}\\00\\00\\00")
  (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
MANIFEST = """
spin_manifest_version = 2
[application]
name = "many"
{triggers}
"""
ROUTES = {
    "/env/:name/...": "env",
    "/exact": "exact",
    "/long/...": "long",
    "/long/er/...": "longer",
    "/trap": "trap",
    "/code": "code",
    "/silent": "silent",
    "/moved": "moved",
    "/teapot": "teapot",
    "/bare": "bare",
}


def writes(text: str) -> bytes:
    return wat(WRITES.format(text=text.replace("\n", "\\0a"), length=len(text)))


def manifest(routes: dict[str, str]) -> str:
    triggers = "".join(
        f'[[trigger.http]]\nroute = "{route}"\ncomponent = "{name}"\nexecutor = {{ type = "wagi" }}\n'
        f'[component.{name}]\nsource = "{name}.wasm"\nenvironment = {{ FROM = "{name}" }}\n'
        for route, name in routes.items()
    )
    return MANIFEST.format(triggers=triggers)


MODULES = {
    "env.wasm": SHOWS_ENVIRONMENT,
    "exact.wasm": writes("content-type: text/plain\n\nexact"),
    "long.wasm": writes("content-type: text/plain\n\nlong"),
    "longer.wasm": writes("content-type: text/plain\n\nlonger"),
    "trap.wasm": TRAPS,
    "code.wasm": exits_with(3),
    "silent.wasm": SILENT,
    "moved.wasm": writes("location: /elsewhere\n\n"),
    "teapot.wasm": writes("status: 418 teapot\nx-kind: pot\n\nshort"),
    "bare.wasm": writes("no headers at all"),
}


@pytest.fixture
async def application(nodes: Rehearsal) -> str:
    nodes.image("many:1", {"spin.toml": manifest(ROUTES).encode(), **MODULES})
    nodes.pod("many", "many:1", spec={"runtimeClassName": "spin"}, command=["/"])
    await nodes.ready("many")
    nodes.service("many", 18081, 80, "many")
    return await nodes.address("many")


async def test_routes_are_matched_exactly_or_by_the_longest_wildcard(application: str) -> None:
    found = {path: (await fetch(application, path)).text for path in ("/exact", "/long", "/long/x", "/long/er/x")}
    assert found == {"/exact": "exact", "/long": "long", "/long/x": "long", "/long/er/x": "longer"}
    assert (await fetch(application, "/exact/more")).status == 404
    assert (await fetch(application, "/")).status == 404


async def test_a_component_sees_cgi_variables_and_its_own_environment_only(application: str) -> None:
    answer = await fetch(application, "/env/me/deep%20er?a=1&b=2", body=b"12345", **{"X-Own": "yes"})
    found = dict(entry.partition("=")[::2] for entry in answer.text.split("\0") if entry)
    host = application.removeprefix("http://")
    expected = {
        "REQUEST_METHOD": "POST",
        "QUERY_STRING": "a=1&b=2",
        "CONTENT_LENGTH": "5",
        "PATH_INFO": "/deep%20er",
        "PATH_TRANSLATED": "/deep er",
        "SCRIPT_NAME": "/env/:name",
        "X_MATCHED_ROUTE": "/env/:name/...",
        "X_COMPONENT_ROUTE": "/env/:name",
        "X_PATH_MATCH_NAME": "me",
        "X_FULL_URL": f"{application}/env/me/deep%20er?a=1&b=2",
        "HTTP_X_OWN": "yes",
        "HTTP_HOST": host,
        "SERVER_NAME": host.partition(":")[0],
        "SERVER_PROTOCOL": "HTTP/1.1",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "FROM": "env",
    }
    assert {name: found.get(name) for name in expected} == expected
    assert "HOSTNAME" not in found


@pytest.mark.parametrize("path", ["/trap", "/code", "/silent", "/bare"])
async def test_a_component_that_fails_is_a_500_and_the_next_request_is_answered(application: str, path: str) -> None:
    assert (await fetch(application, path)).status == 500
    assert (await fetch(application, "/exact")).status == 200


async def test_status_and_location_of_the_cgi_response_are_kept(application: str) -> None:
    moved, teapot = await fetch(application, "/moved"), await fetch(application, "/teapot")
    assert (moved.status, moved.headers["location"]) == (302, "/elsewhere")
    assert (teapot.status, teapot.headers["x-kind"], teapot.text) == (418, "pot", "short")


async def test_spin_says_what_it_serves_and_sigterm_ends_it_at_once(nodes: Rehearsal, application: str) -> None:
    log = await nodes.log("many")
    assert "Serving http://0.0.0.0:80\nAvailable Routes:\n  env: http://0.0.0.0:80/env/:name (wildcard)\n" in log
    nodes.store.delete("pods", "many", "default")
    await nodes.gone("many")
    assert ("Killing", "Stopping container main") in nodes.events("many")


async def test_another_listen_address_moves_the_port(nodes: Rehearsal, hello_image: str) -> None:
    env = [{"name": "SPIN_HTTP_LISTEN_ADDR", "value": "0.0.0.0:8080"}]
    nodes.pod("moved", hello_image, spec={"runtimeClassName": "spin"}, command=["/"], env=env)
    await nodes.ready("moved")
    nodes.service("moved", 18082, 8080, "moved")
    answer: Answer = await fetch(await nodes.address("moved"), "/")
    assert answer.status == 200


async def test_manifest_version_1_is_served(nodes: Rehearsal) -> None:
    text = """
        spin_manifest_version = "1"
        name = "old"
        trigger = { type = "http", base = "/" }
        [[component]]
        id = "exact"
        source = "exact.wasm"
        [component.trigger]
        route = "/exact"
        executor = { type = "wagi" }
        """
    nodes.install(Runtime("spin", "spin", "v0.8.0"))
    nodes.image("old:1", {"spin.toml": text.encode(), "exact.wasm": MODULES["exact.wasm"]})
    nodes.pod("old", "old:1", spec={"runtimeClassName": "spin"}, command=["/"])
    await nodes.ready("old")
    nodes.service("old", 18083, 80, "old")
    assert (await fetch(await nodes.address("old"), "/exact")).text == "exact"


HTTP_TRIGGER = '[[trigger.http]]\nroute = "/"\ncomponent = "a"\n'
WAGI = 'executor = { type = "wagi" }\n'


@pytest.mark.parametrize(
    ("files", "version", "complaint"),
    [
        ({}, "v0.25.1", 'Failed to read manifest file "/spin.toml"'),
        ({"spin.toml": b"not toml"}, "v0.25.1", "TOML parse error"),
        ({"spin.toml": b"spin_manifest_version = 9"}, "v0.25.1", "unknown manifest version `9`"),
        ({"spin.toml": manifest({"/": "a"}).encode()}, "v0.8.0", "can't read spin_manifest_version = 2"),
        ({"spin.toml": manifest({"/": "a"}).encode()}, "v0.25.1", '"a.wasm" does not exist in the image'),
        (
            {"spin.toml": MANIFEST.format(triggers='[[trigger.redis]]\nchannel = "x"\ncomponent = "a"').encode()},
            "v0.25.1",
            "the redis trigger is not run here",
        ),
        (
            {
                "spin.toml": MANIFEST.format(
                    triggers=HTTP_TRIGGER + WAGI + '[component.a]\nsource = "a.wasm"\nfiles = ["*.txt"]'
                ).encode(),
                "a.wasm": TRAPS,
            },
            "v0.25.1",
            "Only directory mounts are supported with `--direct-mounts`",
        ),
        (
            {
                "spin.toml": MANIFEST.format(
                    triggers='[[trigger.command]]\ncomponent = "a"\n[component.a]\nsource = "a.wasm"'
                ).encode(),
                "a.wasm": SILENT,
            },
            "v0.13.0",
            "the command trigger is not run here (shim v0.13.0)",
        ),
    ],
)
async def test_an_application_that_cannot_be_used_says_why(
    nodes: Rehearsal, files: dict[str, bytes], version: str, complaint: str
) -> None:
    nodes.install(Runtime("spin", "spin", version))
    nodes.image("broken:1", files)
    nodes.pod("broken", "broken:1", spec={"runtimeClassName": "spin"}, command=["/"])
    await nodes.phase("broken", "Failed")
    assert complaint in await nodes.log("broken")


async def test_a_component_for_wasi_http_needs_a_program_and_says_which(
    nodes: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    text = MANIFEST.format(triggers=HTTP_TRIGGER + '[component.a]\nsource = "a.wasm"')
    nodes.image("http:1", {"spin.toml": text.encode(), "a.wasm": TRAPS})
    nodes.pod("http", "http:1", spec={"runtimeClassName": "spin"}, command=["/"])
    await nodes.phase("http", "Failed")
    assert "with the `spin` program, which is not installed" in await nodes.log("http")


async def test_a_folder_of_the_image_or_a_volume_is_what_files_show(nodes: Rehearsal) -> None:
    triggers = (
        HTTP_TRIGGER + WAGI + '[component.a]\nsource = "a.wasm"\nfiles = [{ source = "data", destination = "/" }]'
    )
    nodes.image(
        "files:1", {"spin.toml": MANIFEST.format(triggers=triggers).encode(), "a.wasm": shows_files((3, "page"))}
    )
    meta = {"name": "page", "namespace": "default"}
    page = "content-type: text/html\n\n<p>from a volume</p>"
    nodes.store.create("configmaps", {"kind": "ConfigMap", "metadata": meta, "data": {"page": page}})
    volumes = [{"name": "page", "configMap": {"name": "page"}}]
    mounts = [{"name": "page", "mountPath": "/data"}]
    spec = {"runtimeClassName": "spin", "volumes": volumes}
    nodes.pod("files", "files:1", spec=spec, command=["/"], volumeMounts=mounts)
    await nodes.ready("files")
    nodes.service("files", 18084, 80, "files")
    assert (await fetch(await nodes.address("files"), "/")).text == "<p>from a volume</p>"
