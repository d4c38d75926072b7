from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Client:
    """Speaks the distribution API to one repository of its own."""

    def __init__(self, url: str, ca_file: str) -> None:
        self.registry = url
        self.name = f"team/{uuid.uuid4().hex}"
        self.session = requests.Session()
        self.session.verify = ca_file
        self.session.trust_env = False

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        url = (
            path
            if path.startswith("https:")
            else self.registry + (path if path[0] == "/" else f"/v2/{self.name}/{path}")
        )
        return self.session.request(method, url, timeout=20, **options)

    def push_blob(self, content: bytes) -> str:
        digest = digest_of(content)
        assert self.send("POST", f"blobs/uploads/?digest={digest}", data=content).status_code == 201
        return digest

    def push_manifest(self, reference: str, content: bytes, media_type: str = OCI_MANIFEST) -> requests.Response:
        return self.send("PUT", f"manifests/{reference}", data=content, headers={"Content-Type": media_type})

    def push_image(self, reference: str, layer: bytes = b"layer") -> str:
        config = b'{"architecture":"wasm","os":"wasi"}'
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": {"digest": self.push_blob(config), "size": len(config)},
                "layers": [{"digest": self.push_blob(layer), "size": len(layer)}],
            }
        ).encode()
        assert self.push_manifest(reference, manifest).status_code == 201
        return digest_of(manifest)


@pytest.fixture
def client(emulator) -> Iterator[Client]:
    one = Client(emulator.url, str(emulator.ca_file))
    yield one
    one.session.close()


def code_of(response: requests.Response) -> str:
    return response.json()["errors"][0]["code"]


@pytest.mark.parametrize("auth", [None, ("robot", "any password")])
def test_clients_find_a_registry_with_and_without_a_login(client, auth):
    answer = client.send("GET", "/v2/", auth=auth)
    assert answer.status_code == 200
    assert answer.headers["Docker-Distribution-API-Version"] == "registry/2.0"


def test_an_image_that_was_pushed_is_pulled_by_tag_and_by_digest(client):
    digest = client.push_image("1.0", layer=b"module")
    by_tag, by_digest = client.send("GET", "manifests/1.0"), client.send("GET", f"manifests/{digest}")
    assert by_tag.content == by_digest.content
    assert by_tag.headers["Docker-Content-Digest"] == digest
    assert by_tag.headers["Content-Type"] == OCI_MANIFEST
    layer = by_tag.json()["layers"][0]["digest"]
    blob = client.send("GET", f"blobs/{layer}")
    assert blob.content == b"module"
    assert blob.headers["Docker-Content-Digest"] == layer


def test_head_tells_size_and_digest_without_the_content(client):
    digest = client.push_image("1.0", layer=b"module")
    for path in ("manifests/1.0", f"manifests/{digest}", f"blobs/{digest_of(b'module')}"):
        head, whole = client.send("HEAD", path), client.send("GET", path)
        assert head.status_code == 200
        assert head.content == b""
        assert int(head.headers["Content-Length"]) == len(whole.content)
        assert head.headers["Docker-Content-Digest"] == whole.headers["Docker-Content-Digest"]


def test_a_blob_is_pushed_in_pieces_that_must_follow_each_other(client):
    begun = client.send("POST", "blobs/uploads/")
    assert begun.status_code == 202
    place = begun.headers["Location"]
    first = client.send("PATCH", place, data=b"abc", headers={"Content-Range": "0-2"})
    assert (first.status_code, first.headers["Range"]) == (202, "0-2")
    gap = client.send("PATCH", place, data=b"ghi", headers={"Content-Range": "6-8"})
    assert gap.status_code == 416
    assert client.send("GET", place).headers["Range"] == "0-2"
    assert client.send("PATCH", place, data=b"def", headers={"Content-Range": "3-5"}).status_code == 202
    digest = digest_of(b"abcdefghi")
    done = client.send("PUT", f"{place}?digest={digest}", data=b"ghi")
    assert (done.status_code, done.headers["Location"]) == (201, f"/v2/{client.name}/blobs/{digest}")
    assert client.send("GET", f"blobs/{digest}").content == b"abcdefghi"
    assert client.send("GET", place).status_code == 404


def test_a_part_of_a_blob_is_read_by_range(client):
    digest = client.push_blob(b"0123456789")
    part = client.send("GET", f"blobs/{digest}", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")


def test_content_that_is_not_its_digest_is_refused_and_forgotten(client):
    wrong = digest_of(b"something else")
    refused = client.send("POST", f"blobs/uploads/?digest={wrong}", data=b"content")
    assert (refused.status_code, code_of(refused)) == (400, "DIGEST_INVALID")
    assert client.send("HEAD", f"blobs/{wrong}").status_code == 404


def test_a_cancelled_upload_is_gone(client):
    place = client.send("POST", "blobs/uploads/").headers["Location"]
    assert client.send("DELETE", place).status_code == 204
    gone = client.send("PATCH", place, data=b"x")
    assert (gone.status_code, code_of(gone)) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_a_blob_of_another_repository_is_mounted_or_else_uploaded(client, emulator):
    digest = client.push_blob(b"shared")
    other = Client(emulator.url, str(emulator.ca_file))
    assert other.send("HEAD", f"blobs/{digest}").status_code == 404
    assert other.send("POST", f"blobs/uploads/?mount={digest}&from={client.name}").status_code == 201
    assert other.send("GET", f"blobs/{digest}").content == b"shared"
    absent = digest_of(b"absent")
    assert other.send("POST", f"blobs/uploads/?mount={absent}&from={client.name}").status_code == 202
    other.session.close()


def test_a_shared_blob_stays_until_its_last_repository_gives_it_up(client, emulator):
    digest = client.push_blob(b"kept " + client.name.encode())
    other = Client(emulator.url, str(emulator.ca_file))
    other.send("POST", f"blobs/uploads/?mount={digest}&from={client.name}")
    file = emulator.home / "emulator" / "registry" / "blobs" / digest.removeprefix("sha256:")
    assert client.send("DELETE", f"blobs/{digest}").status_code == 202
    assert client.send("GET", f"blobs/{digest}").status_code == 404
    assert other.send("GET", f"blobs/{digest}").status_code == 200
    assert other.send("DELETE", f"blobs/{digest}").status_code == 202
    assert not file.exists()
    other.session.close()


def test_a_manifest_whose_layers_were_not_pushed_is_refused(client):
    manifest = json.dumps({"schemaVersion": 2, "layers": [{"digest": digest_of(b"nowhere"), "size": 7}]}).encode()
    refused = client.push_manifest("1.0", manifest)
    assert (refused.status_code, code_of(refused)) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert client.send("GET", "manifests/1.0").status_code == 404


@pytest.mark.parametrize("content", [b"not json", b"[]"])
def test_what_is_no_manifest_is_refused(client, content):
    refused = client.push_manifest("1.0", content)
    assert (refused.status_code, code_of(refused)) == (400, "MANIFEST_INVALID")


def test_a_manifest_over_the_limit_is_refused(client):
    refused = client.push_manifest("1.0", b" " * (4 * 1024 * 1024 + 1))
    assert (refused.status_code, code_of(refused)) == (413, "SIZE_INVALID")


def test_a_manifest_is_not_taken_under_a_digest_that_is_not_its_own(client):
    refused = client.push_manifest(digest_of(b"other"), b"{}")
    assert (refused.status_code, code_of(refused)) == (400, "DIGEST_INVALID")


def test_an_index_points_to_manifests_of_its_repository(client):
    digest = client.push_image("amd64")
    kind = "application/vnd.oci.image.index.v1+json"
    index = json.dumps({"schemaVersion": 2, "manifests": [{"digest": digest, "size": 1}]}).encode()
    assert client.push_manifest("multi", index, kind).status_code == 201
    assert client.send("GET", "manifests/multi").headers["Content-Type"] == kind


def test_tags_come_sorted_and_page_by_page(client):
    for tag in ("b", "a", "c"):
        client.push_image(tag)
    assert client.send("GET", "tags/list").json() == {"name": client.name, "tags": ["a", "b", "c"]}
    first = client.send("GET", "tags/list?n=2")
    assert first.json()["tags"] == ["a", "b"]
    assert client.send("GET", first.links["next"]["url"]).json()["tags"] == ["c"]
    assert client.name in client.send("GET", "/v2/_catalog").json()["repositories"]


def test_deleting_a_tag_leaves_the_manifest_deleting_the_manifest_takes_its_tags(client):
    digest = client.push_image("a")
    client.push_image("b")
    assert client.send("DELETE", "manifests/a").status_code == 202
    assert client.send("GET", "manifests/b").status_code == 200
    assert client.send("DELETE", f"manifests/{digest}").status_code == 202
    assert client.send("GET", "manifests/b").status_code == 404


def test_an_unknown_repository_and_an_impossible_name_are_told_apart(client):
    unknown = client.send("GET", "tags/list")
    assert (unknown.status_code, code_of(unknown)) == (404, "NAME_UNKNOWN")
    impossible = client.send("GET", "/v2/UPPER/tags/list")
    assert (impossible.status_code, code_of(impossible)) == (400, "NAME_INVALID")


@pytest.mark.parametrize("digest", ["sha256:../../state.db", "sha256:short", "md5:" + "0" * 32])
def test_a_digest_never_leads_out_of_the_folder(client, digest):
    assert client.send("GET", f"blobs/{digest.replace('/', '%2F')}").status_code in (400, 404)
    refused = client.send("POST", f"blobs/uploads/?digest={digest.replace('/', '%2F')}", data=b"x")
    assert (refused.status_code, code_of(refused)) == (400, "DIGEST_INVALID")
    mounted = client.send("POST", f"blobs/uploads/?mount={digest.replace('/', '%2F')}&from={client.name}")
    assert mounted.status_code == 202
