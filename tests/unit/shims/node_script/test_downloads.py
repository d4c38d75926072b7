"""What the script makes of locations and of what comes from them; a bad one changes nothing."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, NamedTuple

import pytest

from tests.unit.shims.node_script.machines import AKS_2404, ARCH, BINARY, Node, archive, elf, error_of

MARK = "0123456789ab"


class Answers(BaseHTTPRequestHandler):
    """Serves what `content` has; each path has its own way to fail."""

    content: ClassVar[bytes] = b""
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        status = {"/absent": 404, "/gone": 410, "/404-but-forbidden": 403}.get(self.path, 200)
        if self.path == "/busy" and self.asked.count("/busy") < 3:
            status = 503
        if status != 200:
            self.send_error(status)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content[: len(self.content) // 2] if self.path == "/cut" else self.content)

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


class Site(NamedTuple):
    """A server of this machine, and the paths it was asked for."""

    url: str
    asked: list[str]


@contextmanager
def serving(content: bytes) -> Iterator[Site]:
    asked: list[str] = []
    handler = type("Handler", (Answers,), {"content": content, "asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Site(f"http://127.0.0.1:{server.server_port}", asked)
        server.shutdown()
        thread.join()


@pytest.fixture(params=["curl", "wget", "busybox wget"])
def fetcher(request: pytest.FixtureRequest, node: Node) -> str:
    """The one program of the node that downloads."""
    name: str = request.param
    if shutil.which(name.partition(" ")[0]) is None:
        pytest.skip(f"needs {name}")
    node.fetches_with(name)
    return name


@pytest.fixture(autouse=True)
def no_pause(node: Node) -> None:
    node.program("sleep", "#!/bin/sh\nexit 0\n")


def nothing_changed(node: Node) -> None:
    assert node.config.read_text() == AKS_2404
    assert node.restarts == 0
    assert list((node.root / "opt").iterdir()) == []
    assert list(node.config.parent.iterdir()) == [node.config]


def test_a_shim_comes_over_http_and_a_busy_server_is_asked_again(node: Node, fetcher: str) -> None:
    content = archive(elf())
    with serving(content) as site:
        done = node.run("install", node.line(content, location=f"{site.url}/busy"))
    assert done.returncode == 0, f"{fetcher}: {done.stderr}"
    assert node.binary().read_bytes() == elf()
    assert (site.asked, done.stderr.count("; attempt ")) == (["/busy"] * 3, 2)


@pytest.mark.parametrize(("path", "status"), [("absent", 404), ("gone", 410)])
def test_what_is_not_there_is_not_asked_for_twice(node: Node, fetcher: str, path: str, status: int) -> None:
    with serving(b"") as site:
        error = error_of(node.run("install", node.line(elf(), location=f"{site.url}/{path}")))
    assert error == f"NotFound: {site.url}/{path}: absent, HTTP status {status}", fetcher
    assert site.asked == [f"/{path}"]
    nothing_changed(node)


def test_a_number_in_a_location_is_no_status(node: Node, fetcher: str) -> None:
    with serving(b"") as site:
        error = error_of(node.run("install", node.line(elf(), location=f"{site.url}/404-but-forbidden")))
    assert error.startswith("DownloadFailed: "), fetcher
    assert "403" in error
    nothing_changed(node)


def test_a_download_that_is_cut_short_is_told_as_such(node: Node, fetcher: str) -> None:
    content = elf(tail=b"x" * 5000)
    with serving(content) as site:
        error = error_of(node.run("install", node.line(content, location=f"{site.url}/cut")))
    assert error == f"Truncated: {site.url}/cut: the download was cut short", fetcher
    assert site.asked == ["/cut"] * 4
    nothing_changed(node)


def test_a_server_that_does_not_answer(node: Node, fetcher: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = error_of(node.run("install", node.line(elf(), location=f"http://127.0.0.1:{port}/x")))
    assert error.startswith("DownloadFailed: http://127.0.0.1"), fetcher
    assert "onnect" in error, "that it could not connect"
    nothing_changed(node)


@pytest.mark.parametrize(
    ("content", "changed", "said"),
    [
        (archive(elf()), {"sha256": "0" * 64}, "HashMismatch: file:///download-test-v1 is not what it should be"),
        (archive(elf()), {"sha256": "12"}, "HashMismatch: the SHA-256 of test v1 is not known"),
        (archive(elf(machine=243)), {}, f"WrongArchitecture: {BINARY} is for another processor (ELF machine 243"),
        (b"<html>not found</html>", {}, "Unsupported: what was downloaded is neither a Linux program nor an archive"),
        (archive(b"<html>not found</html>"), {}, f"Unsupported: {BINARY} is not a Linux program"),
        (archive(elf(), "readme.txt"), {}, "Unsupported: what was downloaded is neither"),
        (archive(elf(), f"a/{BINARY}", f"b/{BINARY}"), {}, f"Unsupported: the archive has more than one {BINARY}"),
        (archive(elf())[:-20], {}, f"Truncated: {BINARY} cannot be unpacked: "),
        (archive(elf(), f"../../{BINARY}"), {}, f"Unsupported: {BINARY} cannot be unpacked: "),
        (elf(), {"arch": "riscv64"}, f"Unsupported: test-v1 has no binary for linux/{ARCH}"),
        (elf(), {"version": "../../etc"}, "Unsupported: the list has a name that is no plain one"),
        (elf(), {"location": "file:///absent"}, "NotFound: file:///absent is not on this node"),
        (elf(), {"location": "ftp://a/b"}, "Unsupported: ftp://a/b is of no kind known here"),
        (elf(), {"location": f"parts://{MARK}"}, f"NotFound: the parts of {MARK} did not come with the list"),
    ],
)
def test_what_is_not_as_it_should_be_changes_nothing(
    node: Node, content: bytes, changed: dict[str, str], said: str
) -> None:
    assert error_of(node.run("install", node.line(content, **changed))).startswith(said)
    nothing_changed(node)


@pytest.mark.parametrize(
    "content",
    [elf(), gzip.compress(elf(), mtime=0), archive(elf()), archive(elf(), f"./bin/{BINARY}")],
    ids=["bare", "gzip", "tar", "tar-with-folders"],
)
def test_forms_of_a_binary(node: Node, content: bytes) -> None:
    assert node.run("install", node.line(content)).returncode == 0
    assert node.binary().read_bytes() == elf()


def test_an_archive_writes_nothing_but_the_one_member(node: Node) -> None:
    content = archive(elf(), f"./{BINARY}", "../../../evil")
    assert node.run("install", node.line(content)).returncode == 0
    assert node.binary().read_bytes() == elf()
    assert not list(node.root.rglob("evil"))


def test_a_binary_of_ones_own_comes_in_parts(node: Node) -> None:
    content = elf(tail=bytes(range(256)) * 40)
    packed = gzip.compress(content)
    folder = node.folder / "parts" / MARK
    folder.mkdir(parents=True)
    for number in range(3):
        third = len(packed) // 3 + 1
        (folder / f"part-{number:03}").write_bytes(packed[number * third : (number + 1) * third])
    total = hashlib.sha256(content).hexdigest()
    assert node.run("install", node.line(content, location=f"parts://{MARK}", sha256=total)).returncode == 0
    assert node.binary().read_bytes() == content


REFERENCE = "registry.test/team/shim:1"
# As `ctr images pull` of 2.3 and 1.7 ends at a registry that wants a login, gives none for this image, lacks it, is out
# of reach.
REFUSALS = [
    (
        (
            f'ctr: failed to resolve image: failed to resolve reference "{REFERENCE}": unexpected status from HEAD '
            "request to https://registry.test/v2/team/shim/manifests/1: 401 Unauthorized"
        ),
        "Unauthorized: the registry of registry.test/team/shim:1 wants a login for it: ctr: ",
    ),
    (
        (
            f'ctr: failed to resolve reference "{REFERENCE}": pull access denied, repository does not exist or may '
            "require authorization: authorization failed: no basic auth credentials"
        ),
        "Unauthorized: the registry of",
    ),
    (
        (
            f'ctr: failed to resolve reference "{REFERENCE}": failed to authorize: failed to fetch anonymous token: '
            "unexpected status from GET request to https://registry.test/oauth2/token: 403 Forbidden"
        ),
        "Unauthorized: the registry of",
    ),
    (
        f'ctr: failed to resolve reference "{REFERENCE}": {REFERENCE}: not found',
        "NotFound: registry.test/team/shim:1 is not in its registry: ctr: ",
    ),
    (
        (
            f'ctr: failed to resolve reference "{REFERENCE}": failed to do request: Head "https://registry.test/v2/team/'
            'shim/manifests/1": dial tcp: lookup registry.test: no such host'
        ),
        "DownloadFailed: cannot pull registry.test/team/shim:1: ctr: ",
    ),
]


@pytest.fixture
def image(node: Node) -> str:
    """An image with the shim; its location."""
    (node.root / "image/bin").mkdir(parents=True)
    (node.root / "image/bin/shim").write_bytes(elf())
    return f"oci://{REFERENCE}//bin/shim"


def pulls(node: Node) -> list[str]:
    noted = node.root / "pulls"
    return noted.read_text().splitlines() if noted.exists() else []


def test_a_shim_comes_out_of_an_image_that_is_pulled_once(node: Node, image: str) -> None:
    assert node.run("install", node.line(elf(), location=image)).returncode == 0
    assert node.binary().read_bytes() == elf()
    node.binary().write_bytes(b"broken")
    assert node.run("install").returncode == 0
    assert pulls(node) == [f"--namespace k8s.io images pull {REFERENCE}"]


def test_a_registry_is_reached_as_the_nodes_own_configuration_says(node: Node, image: str) -> None:
    registries = '[plugins."io.containerd.cri.v1.images".registry]\n  config_path = "/etc/containerd/certs.d:/other"\n'
    node.config.write_text(f"{AKS_2404}{registries}")
    (node.root / "etc/containerd/certs.d").mkdir()
    assert node.run("install", node.line(elf(), location=image)).returncode == 0
    assert pulls(node) == [f"--namespace k8s.io images pull --hosts-dir /etc/containerd/certs.d {REFERENCE}"]


@pytest.mark.parametrize(("refusal", "said"), REFUSALS)
def test_why_an_image_cannot_be_pulled_is_told(node: Node, image: str, refusal: str, said: str) -> None:
    (node.root / "refusal").write_text(f"{refusal}\n")
    error = error_of(node.run("install", node.line(elf(), location=image)))
    assert error.startswith(said)
    nothing_changed(node)


def test_a_file_that_the_image_lacks_is_told(node: Node, image: str) -> None:
    error = error_of(node.run("install", node.line(elf(), location=image.replace("bin/shim", "absent"))))
    assert error == f"NotFound: {REFERENCE} has no file absent"
    nothing_changed(node)
