"""Images on a node: archives, layers, registries, pull policies."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from aks_wasm.emulator.certificates import CertificateAuthority
from aks_wasm.emulator.node.images import ImageError, ImageStore, RegistryTrust
from aks_wasm.emulator.node.layers import inside, unpack
from aks_wasm.emulator.node.references import parse_reference
from aks_wasm.errors import AksWasmError
from tests.emulator.node.oci_archives import MANIFEST, ImageArchive, layer_of
from tests.emulator.node.rehearsal import Rehearsal, exits_with

AMD = "linux/amd64"


@pytest.fixture
def images(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hello", "docker.io/library/hello:latest"),
        ("me/hello:1", "docker.io/me/hello:1"),
        ("localhost/hello:1", "localhost/hello:1"),
        ("127.0.0.1:5000/a/b:c", "127.0.0.1:5000/a/b:c"),
        ("r.io/a@sha256:" + "0" * 64, "r.io/a@sha256:" + "0" * 64),
    ],
)
def test_names_are_normalised_as_containerd_does(text: str, name: str) -> None:
    reference = parse_reference(text)
    assert reference is not None
    assert reference.name == name


@pytest.mark.parametrize("text", ["", "Hello:1", "a b", "hello:", "hello@sha256:12"])
def test_what_is_no_name_is_refused(text: str) -> None:
    assert parse_reference(text) is None


async def test_an_archive_with_platforms_gives_each_node_its_own(images: ImageStore, tmp_path: Path) -> None:
    archive = ImageArchive().add("app:1", {"app.wasm": b"x"}, config={"Cmd": ["/app.wasm"]})
    assert images.load(archive.write(tmp_path / "a.tar")) == ["docker.io/library/app:1"]
    assert images.names() == ["docker.io/library/app:1"]
    for platform in (AMD, "linux/arm64"):
        image = await images.resolve("app:1", platform)
        assert image.config["architecture"] == platform.partition("/")[2]
        assert (image.root / "app.wasm").read_bytes() == b"x"
    again = ImageStore(tmp_path / "images")
    assert again.names() == images.names()


async def test_an_archive_of_docker_save_is_read(images: ImageStore, tmp_path: Path) -> None:
    config = json.dumps({"os": "linux", "architecture": "amd64", "config": {"Cmd": ["/a"]}}).encode()
    manifest = json.dumps([{"Config": "c.json", "RepoTags": ["saved:1"], "Layers": ["l/layer.tar"]}]).encode()
    files = {"c.json": config, "l/layer.tar": layer_of({"a": b"1"}, compressed=False), "manifest.json": manifest}
    path = tmp_path / "saved.tar"
    path.write_bytes(layer_of(files, compressed=False))
    assert images.load(path) == ["docker.io/library/saved:1"]
    assert ((await images.resolve("saved:1", AMD)).root / "a").read_bytes() == b"1"


@pytest.mark.parametrize("content", [b"no tar", layer_of({"x": b""}), layer_of({"index.json": b'{"manifests": []}'})])
def test_what_is_no_image_archive_is_refused(images: ImageStore, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    with pytest.raises(AksWasmError, match="is not an image archive"):
        images.load(path)


def test_a_blob_that_is_not_what_its_digest_says_is_refused(images: ImageStore, tmp_path: Path) -> None:
    archive = ImageArchive().add("app:1", {"a": b"1"})
    archive.blobs[next(iter(archive.blobs))] = b"other"
    with pytest.raises(AksWasmError) as caught:
        images.load(archive.write(tmp_path / "a.tar"))
    assert "promised" in (caught.value.details or "")


async def test_an_image_for_another_architecture_does_not_match(nodes: Rehearsal) -> None:
    nodes.module("arm:1", exits_with(0), platforms=("linux/arm64",))
    nodes.pod("arm", "arm:1")
    await nodes.until(lambda: nodes.state("arm")["waiting"]["reason"] == "ImagePullBackOff")
    message = (
        'rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/arm:1": '
        "no match for platform in manifest: not found"
    )
    assert ("Failed", f'Failed to pull image "arm:1": {message}') in nodes.events("arm")
    assert ("Failed", "Error: ErrImagePull") in nodes.events("arm")
    assert ("BackOff", 'Back-off pulling image "arm:1"') in nodes.events("arm")


async def test_an_image_for_wasm_runs_on_any_node(nodes: Rehearsal) -> None:
    nodes.module("wasi:1", exits_with(0), platforms=("wasi/wasm",))
    nodes.pod("wasi", "wasi:1")
    await nodes.phase("wasi", "Succeeded")


async def test_policy_never_waits_for_an_image_that_is_loaded(nodes: Rehearsal) -> None:
    nodes.pod("never", "later:1", imagePullPolicy="Never")
    await nodes.until(lambda: nodes.state("never")["waiting"]["reason"] == "ErrImageNeverPull")
    message = 'Container image "later:1" is not present with pull policy of Never'
    assert nodes.state("never")["waiting"]["message"] == message
    nodes.module("later:1", exits_with(0))
    await nodes.phase("never", "Succeeded")


async def test_an_invalid_name_is_said_to_be_one(nodes: Rehearsal) -> None:
    nodes.pod("named", "No Image")
    await nodes.until(lambda: nodes.state("named")["waiting"]["reason"] == "InvalidImageName")


async def test_an_unreachable_registry_is_named(nodes: Rehearsal) -> None:
    nodes.pod("far", "127.0.0.1:9/app:1")
    await nodes.until(lambda: nodes.state("far")["waiting"]["reason"] == "ImagePullBackOff")
    message = nodes.state("far")["waiting"]["message"]
    assert "dial tcp 127.0.0.1:9: connect: connection refused" in message
    assert message.startswith('Back-off pulling image "127.0.0.1:9/app:1": ErrImagePull: rpc error: code = Unknown')


def test_whiteouts_take_away_what_lower_layers_had(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for number, files in enumerate(
        ({"a/x": b"1", "a/y": b"2", "b/z": b"3"}, {"a/.wh.x": b"", "b/.wh..wh..opq": b"", "b/new": b"4"})
    ):
        layer = tmp_path / str(number)
        layer.write_bytes(layer_of(files))
        unpack(layer, root)
    assert sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()) == ["a/y", "b/new"]


def test_nothing_in_a_layer_reaches_outside(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, target in (("up", "../.."), ("abs", str(tmp_path))):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
        for name in ("../evil", "up/evil", "abs/evil", "/rooted"):
            member = tarfile.TarInfo(name)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
        hard = tarfile.TarInfo("hard")
        hard.type, hard.linkname = tarfile.LNKTYPE, "../../outside"
        tar.addfile(hard)
    (tmp_path / "outside").write_bytes(b"secret")
    layer = tmp_path / "layer"
    layer.write_bytes(gzip.compress(raw.getvalue()))
    root = tmp_path / "deep" / "root"
    root.mkdir(parents=True)
    unpack(layer, root)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "layer", "outside"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["root"]
    assert (root / "rooted").read_bytes() == b"x"
    assert not (root / "hard").exists()
    assert inside(root, "/abs/evil") == root / tmp_path.relative_to("/") / "evil"


@dataclass
class Registry:
    """An OCI registry that asks for a token first."""

    archive: ImageArchive
    manifests: dict[str, str]
    asked: list[str] = field(default_factory=list)
    base: str = ""
    login: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.path == "/token":
            if self.login and request.headers.get("Authorization") != self.login:
                return web.Response(status=401)
            return web.json_response({"token": f"for {request.query['scope']}"})
        if request.headers.get("Authorization") != "Bearer for repository:team/app:pull":
            challenge = f'Bearer realm="{self.base}/token",service="test",scope="repository:team/app:pull"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        kind, name = request.path.split("/")[-2:]
        digest = self.manifests.get(name, name) if kind == "manifests" else name
        content = self.archive.blobs.get(digest)
        return web.Response(status=404) if content is None else web.Response(body=content)


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    archive = ImageArchive()
    manifest = archive.manifest([layer_of({"app.wasm": exits_with(5)})], {"Entrypoint": ["/app.wasm"]}, AMD)
    found = Registry(archive, {"1": archive.descriptor(manifest, MANIFEST)["digest"]})
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", found.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    authority = CertificateAuthority.open(tmp_path / "ca", "test")
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server_context(["127.0.0.1", "localhost"]))
    await site.start()
    port = runner.addresses[0][1]
    found.base = f"https://127.0.0.1:{port}"
    yield found
    await runner.cleanup()


async def test_an_image_is_pulled_from_its_registry_with_the_token_it_asks_for(
    nodes: Rehearsal, registry: Registry, tmp_path: Path
) -> None:
    nodes.images.registries = RegistryTrust(ca_file=tmp_path / "ca" / "ca.pem")
    reference = registry.base.removeprefix("https://") + "/team/app:1"
    nodes.pod("pulled", reference)
    pod = await nodes.phase("pulled", "Failed")
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 5
    reasons = [(reason, text.partition(" in ")[0]) for reason, text in nodes.events("pulled")]
    assert ("Pulling", f'Pulling image "{reference}"') in reasons
    assert ("Pulled", f'Successfully pulled image "{reference}"') in reasons
    asked = len(registry.asked)
    nodes.pod("again", reference)
    await nodes.phase("again", "Failed")
    assert len(registry.asked) == asked


async def test_nodes_of_either_architecture_pull_their_own_half_of_an_image(
    images: ImageStore, registry: Registry, tmp_path: Path
) -> None:
    images.registries = RegistryTrust(ca_file=tmp_path / "ca" / "ca.pem")
    archive = registry.archive.add("app:1", {"app.wasm": b"x"}, config={"Cmd": ["/app.wasm"]})
    registry.manifests["both"] = archive.entries[0]["digest"]
    reference = registry.base.removeprefix("https://") + "/team/app:both"
    for platform in (AMD, "linux/arm64"):
        assert not images.has(reference, platform)
        image = await images.resolve(reference, platform)
        assert (image.config["architecture"], image.pulled) == (platform.partition("/")[2], True)
        assert images.has(reference, platform)


async def test_image_pull_secrets_are_shown_to_the_registry(
    nodes: Rehearsal, registry: Registry, tmp_path: Path
) -> None:
    nodes.images.registries = RegistryTrust(ca_file=tmp_path / "ca" / "ca.pem")
    host = registry.base.removeprefix("https://")
    registry.login = "Basic " + base64.b64encode(b"me:secret").decode()
    nodes.pod("nobody", f"{host}/team/app:1")
    await nodes.until(lambda: nodes.state("nobody")["waiting"]["reason"] == "ImagePullBackOff")
    assert "pull access denied" in nodes.state("nobody")["waiting"]["message"]
    config = json.dumps({"auths": {f"https://{host}/v2/": {"username": "me", "password": "secret"}}})
    data = {".dockerconfigjson": base64.b64encode(config.encode()).decode()}
    nodes.store.create(
        "secrets", {"kind": "Secret", "metadata": {"name": "login", "namespace": "default"}, "data": data}
    )
    nodes.pod("me", f"{host}/team/app:1", spec={"imagePullSecrets": [{"name": "gone"}, {"name": "login"}]})
    await nodes.phase("me", "Failed")


async def test_an_authority_nobody_trusts_is_refused(images: ImageStore, registry: Registry) -> None:
    with pytest.raises(ImageError, match="x509: certificate signed by unknown authority"):
        await images.resolve(registry.base.removeprefix("https://") + "/team/app:1", AMD)


async def test_a_tag_that_is_not_there_is_not_found(images: ImageStore, registry: Registry, tmp_path: Path) -> None:
    images.registries = RegistryTrust(ca_file=tmp_path / "ca" / "ca.pem")
    reference = registry.base.removeprefix("https://") + "/team/app:2"
    with pytest.raises(ImageError) as caught:
        await images.resolve(reference, AMD)
    assert caught.value.message == (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{reference}": '
        f'failed to resolve reference "{reference}": {reference}: not found'
    )
