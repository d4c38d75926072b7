from __future__ import annotations

import base64
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from aks_wasm.errors import NotAllowed, NotSignedIn, ServiceError, TimedOut, Unreachable
from aks_wasm.waits import Patience
from aks_wasm.wasm.archive import ImageArchive
from aks_wasm.wasm.oci import ImageContent, package
from aks_wasm.wasm.registry import Reference, push
from aks_wasm.wasm.registry_login import Credentials, Login, docker_config_file, docker_login
from tests.cutting_relay import CuttingRelay
from tests.unit.clocks import FakeClock
from tests.unit.wasm.registry_server import TokenRegistry, token_registry

CONTENT = ImageContent({"app.wasm": b"\0asm" * 1000}, ("/app.wasm",))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[TokenRegistry]:
    with token_registry(tmp_path / "registry") as running:
        yield running


def image(registry: TokenRegistry, folder: Path) -> ImageArchive:
    return package(CONTENT, repository=f"{registry.host}/team/x", folder=folder)


def docker_config(folder: Path, **content: Any) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(content))
    return path


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def alice(registry: TokenRegistry, folder: Path) -> Credentials:
    return Credentials(docker_config(folder, auths={registry.host: auth("alice", "s3cret")}))


def pushed(
    archive: ImageArchive,
    *,
    credentials: Credentials,
    verify: str | bool = True,
    states: list[str] | None = None,
    clock: FakeClock | None = None,
) -> bool:
    """Push with a patience whose pauses take no time."""
    patience = Patience(600, clock or FakeClock(), ([] if states is None else states).append)
    return push(archive, credentials=credentials, verify=verify, patience=patience)


def test_an_image_is_pushed_whole_and_never_twice(registry: TokenRegistry, tmp_path: Path) -> None:
    archive = image(registry, tmp_path)
    states: list[str] = []
    credentials = alice(registry, tmp_path)
    assert pushed(archive, credentials=credentials, verify=str(registry.ca_file), states=states)
    index = json.loads(registry.manifests[archive.name.rpartition(":")[2]])
    for descriptor in index["manifests"]:
        manifest = json.loads(registry.manifests[descriptor["digest"]])
        assert {manifest["config"]["digest"], manifest["layers"][0]["digest"]} <= set(registry.blobs)
    assert len(registry.blobs) == 3
    assert states == []  # nobody reads of some bytes before they are sent
    before = len(registry.requests)
    assert not pushed(archive, credentials=credentials, verify=str(registry.ca_file))
    assert [line.split()[0] for line in registry.requests[before:]] == ["HEAD", "HEAD"]


def test_blobs_that_are_there_are_not_sent_again(registry: TokenRegistry, tmp_path: Path) -> None:
    archive = image(registry, tmp_path)
    pushed(archive, credentials=alice(registry, tmp_path), verify=str(registry.ca_file))
    registry.manifests.clear()
    before = len(registry.requests)
    assert pushed(archive, credentials=alice(registry, tmp_path), verify=str(registry.ca_file))
    assert not any("POST" in line for line in registry.requests[before:])


def test_whoever_is_signed_in_to_azure_is_signed_in_to_its_registries(registry: TokenRegistry, tmp_path: Path) -> None:
    credentials = Credentials(entra_token=lambda: "entra", acr_suffixes=(registry.host,))
    assert pushed(image(registry, tmp_path), credentials=credentials, verify=str(registry.ca_file))


def test_an_identity_token_of_docker_is_exchanged(registry: TokenRegistry, tmp_path: Path) -> None:
    config = docker_config(tmp_path, auths={registry.host: {"identitytoken": "refresh"}})
    assert pushed(image(registry, tmp_path), credentials=Credentials(config), verify=str(registry.ca_file))


@pytest.mark.parametrize("password", ["wrong", None])
def test_a_login_that_is_wrong_or_missing_is_told(
    registry: TokenRegistry, tmp_path: Path, password: str | None
) -> None:
    auths = {registry.host: auth("alice", password)} if password else {}
    with pytest.raises(NotSignedIn) as caught:
        pushed(
            image(registry, tmp_path),
            credentials=Credentials(docker_config(tmp_path, auths=auths)),
            verify=str(registry.ca_file),
        )
    assert "docker login" in (caught.value.hint or "")


def test_an_azure_login_without_a_role_is_told(registry: TokenRegistry, tmp_path: Path) -> None:
    credentials = Credentials(entra_token=lambda: "poor", acr_suffixes=(registry.host,))
    with pytest.raises(NotSignedIn) as caught:
        pushed(image(registry, tmp_path), credentials=credentials, verify=str(registry.ca_file))
    assert "AcrPush" in (caught.value.hint or "")


def test_a_login_that_may_not_push_is_told_in_the_registrys_words(registry: TokenRegistry, tmp_path: Path) -> None:
    registry.read_only = True
    with pytest.raises(NotAllowed, match="denied: read only") as caught:
        pushed(image(registry, tmp_path), credentials=alice(registry, tmp_path), verify=str(registry.ca_file))
    assert caught.value.code == "Registry403"


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT"])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_registry_that_is_busy_or_fails_is_tried_again_as_it_asks(
    registry: TokenRegistry, tmp_path: Path, method: str, status: int
) -> None:
    registry.troubles[method] = [web.Response(status=status, headers={"Retry-After": "7"}) for _ in range(2)]
    clock, states = FakeClock(), list[str]()
    credentials = alice(registry, tmp_path)
    archive = image(registry, tmp_path)
    assert pushed(archive, credentials=credentials, verify=str(registry.ca_file), states=states, clock=clock)
    assert len(registry.blobs) == 3
    assert len(states) == 1
    assert clock.pauses == ([7.0, 7.0] if status == 429 else [1.0, 1.0])


def test_a_registry_that_goes_on_failing_is_told_in_its_words(registry: TokenRegistry, tmp_path: Path) -> None:
    said = {"errors": [{"message": "the disk is full"}]}
    registry.troubles["POST"] = [web.json_response(said, status=507) for _ in range(999)]
    with pytest.raises(ServiceError, match="start an upload: the disk is full") as caught:
        pushed(image(registry, tmp_path), credentials=alice(registry, tmp_path), verify=str(registry.ca_file))
    assert caught.value.code == "Registry507"


def test_a_registry_that_is_always_busy_ends_with_the_time_out(registry: TokenRegistry, tmp_path: Path) -> None:
    registry.troubles["HEAD"] = [web.Response(status=429) for _ in range(999)]
    with pytest.raises(TimedOut, match="the registry is busy"):
        pushed(image(registry, tmp_path), credentials=alice(registry, tmp_path), verify=str(registry.ca_file))


@pytest.mark.parametrize("after", [1, 2])
def test_a_registry_that_cuts_connections_is_tried_again(registry: TokenRegistry, tmp_path: Path, after: int) -> None:
    relay, states = CuttingRelay(registry.port, cuts=2, after=after), list[str]()
    with relay.running():
        archive = package(CONTENT, repository=f"localhost:{relay.port}/team/x", folder=tmp_path)
        credentials = Credentials(docker_config(tmp_path, auths={f"localhost:{relay.port}": auth("alice", "s3cret")}))
        assert pushed(archive, credentials=credentials, verify=str(registry.ca_file), states=states)
    assert states == ["the registry does not answer; trying again"]
    assert len(registry.blobs) == 3


def test_an_upload_without_a_place_is_told(registry: TokenRegistry, tmp_path: Path) -> None:
    registry.keeps_location_to_itself = True
    with pytest.raises(ServiceError, match="does not say where an upload goes to"):
        pushed(image(registry, tmp_path), credentials=alice(registry, tmp_path), verify=str(registry.ca_file))


def test_a_certificate_that_is_not_trusted_is_told(registry: TokenRegistry, tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        pushed(image(registry, tmp_path), credentials=Credentials())
    assert caught.value.code == "RegistryCertificate"
    assert "REQUESTS_CA_BUNDLE" in (caught.value.hint or "")


def test_the_authority_that_was_named_wins_over_the_environment_and_netrc_is_left_alone(
    registry: TokenRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine localhost login mallory password wrong\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "netrc"))
    assert pushed(image(registry, tmp_path), credentials=alice(registry, tmp_path), verify=str(registry.ca_file))


def test_a_registry_that_does_not_answer_is_told(tmp_path: Path) -> None:
    archive = package(CONTENT, repository="localhost:1/team/x", folder=tmp_path)
    with pytest.raises(Unreachable, match="does not answer"):
        pushed(archive, credentials=Credentials())


def test_an_archive_that_lacks_something_is_told(registry: TokenRegistry, tmp_path: Path) -> None:
    archive = image(registry, tmp_path)
    with tarfile.open(archive.path, "w"):
        pass
    with pytest.raises(ServiceError, match="cannot be read"):
        pushed(archive, credentials=alice(registry, tmp_path), verify=str(registry.ca_file))


def test_names_are_split_into_their_parts() -> None:
    assert Reference.parse("a.io:5000/b/c:1") == Reference("a.io:5000", "b/c", "1")
    assert Reference.parse("a.io/b") == Reference("a.io", "b", "latest")


def test_docker_keeps_its_logins_where_it_is_told(tmp_path: Path) -> None:
    assert docker_config_file({"DOCKER_CONFIG": str(tmp_path)}) == tmp_path / "config.json"
    assert docker_config_file({}).parts[-2:] == (".docker", "config.json")


def test_credential_helpers_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-test"
    helper.write_text(
        '#!/bin/sh\nread host\n[ "$host" = a.io ] || exit 1\n'
        'printf \'{"ServerURL":"%s","Username":"u","Secret":"p"}\' "$host"\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    config = docker_config(tmp_path, credHelpers={"a.io": "test", "b.io": "test", "c.io": "missing"})
    assert docker_login(config, "a.io") == Login("u", "p")
    assert docker_login(config, "b.io") is None
    assert docker_login(config, "c.io") is None


@pytest.mark.parametrize("text", ["", "{", '{"auths": {"a.io": {"auth": "%%%"}}}', '{"auths": {"a.io": {}}}'])
def test_a_broken_docker_configuration_holds_no_login(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    assert docker_login(path, "a.io") is None
    assert docker_login(tmp_path / "none.json", "a.io") is None


def test_passwords_do_not_show_up_in_representations() -> None:
    assert "p4ss" not in repr(Login("u", "p4ss"))
