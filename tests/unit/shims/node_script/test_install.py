"""What `install` and `remove` leave on a node."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from aks_wasm.shims.installer.node import PARTS
from tests.unit.shims.node_script.machines import AKS_2204, AKS_2404, BINARY, Node, archive, elf, error_of

RUNTIMES = 'plugins."io.containerd.cri.v1.runtime".containerd.runtimes'
OTHER_SHELLS = [
    f"{path} {rest}".strip() for name, rest in (("busybox", "ash"), ("bash", "--posix")) if (path := shutil.which(name))
]


def test_a_shim_gets_onto_a_node_of_aks_2404(node: Node) -> None:
    other = node.line(b"x", arch="riscv64")
    done = node.run("install", other, node.line(archive(elf())))
    assert done.returncode == 0, done.stderr
    text = node.config.read_text()
    assert text.startswith(AKS_2404)
    assert text.removeprefix(AKS_2404).splitlines() == [
        "# begin aks-wasm",
        f'[{RUNTIMES}."test-v1"]',
        f'  runtime_type = "/opt/aks-wasm/test/v1/{BINARY}"',
        f'[{RUNTIMES}."test-v1".options]',
        "  SystemdCgroup = true",
        "# end aks-wasm",
    ]
    assert node.binary().read_bytes() == elf()
    assert os.access(node.binary(), os.X_OK)
    assert node.restarts == 1
    assert (node.root / "opt/aks-wasm/state/before").read_text() == AKS_2404


@pytest.mark.parametrize("shell", OTHER_SHELLS)
def test_other_shells_do_the_same(node: Node, shell: str) -> None:
    before = node.files()
    assert node.run("install", node.line(archive(elf())), shell=shell).returncode == 0
    assert node.report()["healthy"] is True
    assert node.run("remove", shell=shell).returncode == 0
    assert node.files() == before


@pytest.mark.parametrize(
    ("config", "release"),
    [
        (AKS_2404, "2.3.4"),
        (AKS_2404.rstrip("\n"), "2.2.4"),
        (AKS_2204, "1.6.20"),
        (AKS_2204, "1.7.32"),
        (AKS_2204, "2.3.4"),
        (AKS_2404, "1.7.32"),
        ("version = 2\n", "1.7.32"),
        ("", "2.3.4"),
        (None, "1.7.32"),
        (None, "2.3.4"),
        ("version = 3\n", "2.3.4"),
    ],
)
def test_every_configuration_takes_it_and_gets_its_bytes_back(tmp_path: Path, config: str | None, release: str) -> None:
    node = Node.of(tmp_path, config, release)
    node.settings(local_image_pull="true")
    before = node.files()
    handlers = node.report()["handlers"]
    done = node.run("install", node.line(elf()), node.line(elf(tail=b"2"), "test-v2", "v2"))
    assert done.returncode == 0, done.stderr
    report = node.report()
    assert report["healthy"] is True, report
    assert sorted(report["handlers"]) == sorted([*handlers, "test-v1", "test-v2"])
    assert report["containerd"] == release
    assert node.run("remove").returncode == 0
    assert node.files() == before
    assert node.restarts == 2


@pytest.mark.parametrize(
    ("line", "takes"),
    [
        ('imports = ["/etc/containerd/conf.d/*.toml"]', True),
        ('imports = [\n  # ours come last\n  "conf.d/*.toml", # all of them\n]', True),
        ("imports = ['/etc/containerd/absent.d/*.toml']", False),
        ('# imports = ["/etc/containerd/conf.d/*.toml"]', False),
    ],
)
def test_a_folder_that_the_root_file_really_imports_gets_a_file_of_ours(tmp_path: Path, line: str, takes: bool) -> None:
    node = Node.of(tmp_path, f"{line}\n{AKS_2404}")
    drop_in = node.drop_ins() / "zz-aks-wasm.toml"
    before = node.files()
    assert node.run("install", node.line(elf())).returncode == 0
    assert drop_in.exists() is takes
    assert (node.config.read_bytes() == before["etc/containerd/config.toml"][0]) is takes
    report = node.report()
    assert (report["healthy"], report["imports"]) == (True, takes)
    assert node.run("remove").returncode == 0
    assert node.files() == before


def test_a_second_run_changes_and_restarts_nothing(node: Node) -> None:
    assert node.run("install", node.line(elf())).returncode == 0
    before = node.files()
    assert "as it should be" in node.run("install").stderr
    assert (node.files(), node.restarts) == (before, 1)


def test_what_is_no_longer_in_the_list_goes(node: Node) -> None:
    first, second = node.line(elf()), node.line(elf(tail=b"2"), "test-v2", "v2")
    assert node.run("install", first).returncode == 0
    assert node.run("install", first, second).returncode == 0
    assert node.run("install", second).returncode == 0
    assert node.report()["handlers"] == ["runc", "test-v2", "untrusted"]
    assert not node.binary().parent.exists()
    assert node.binary("v2").exists()
    assert node.restarts == 3


def test_a_program_that_still_runs_stays_until_it_does_not(node: Node) -> None:
    assert node.run("install", node.line(elf())).returncode == 0
    end = node.runs(41)
    assert "left until nothing runs it: test/v1/" in node.run("remove").stderr
    assert node.binary().exists()
    assert node.config.read_text() == AKS_2404
    end()
    assert node.run("remove").returncode == 0
    assert not (node.root / "opt/aks-wasm").exists()


def test_a_replaced_binary_is_another_file(node: Node) -> None:
    assert node.run("install", node.line(elf())).returncode == 0
    with node.binary().open("rb") as running:
        assert node.run("install", node.line(elf(tail=b"new"))).returncode == 0
        assert running.read() == elf()
    assert node.binary().read_bytes() == elf(tail=b"new")


def test_what_others_have_by_that_name_is_not_taken(tmp_path: Path) -> None:
    theirs = f'{AKS_2404}[{RUNTIMES}.test-v1]\n  runtime_type = "io.containerd.mine.v1"\n'
    node = Node.of(tmp_path, theirs)
    error = error_of(node.run("install", node.line(elf())))
    assert error.startswith("ConfigRefused: the handler test-v1 is configured already")
    assert (node.config.read_text(), node.restarts) == (theirs, 0)


def test_tables_whose_marks_another_tool_dropped_are_known_again(node: Node) -> None:
    assert node.run("install", node.line(elf())).returncode == 0
    kept = [line for line in node.config.read_text().splitlines() if not line.startswith("#")]
    node.config.write_text("\n".join(kept) + "\n")
    second = node.line(elf(tail=b"2"), "test-v2", "v2")
    assert node.run("install", second).returncode == 0
    assert node.report()["handlers"] == ["runc", "test-v2", "untrusted"]
    assert node.run("remove").returncode == 0
    assert node.config.read_text() == AKS_2404


def test_a_link_to_the_configuration_stays_a_link(node: Node) -> None:
    real = node.config.with_name("real.toml")
    node.config.rename(real)
    node.config.symlink_to(real)
    assert node.run("install", node.line(elf())).returncode == 0
    assert node.config.is_symlink()
    assert "# begin aks-wasm" in real.read_text()


def test_a_configuration_broken_before_is_left_alone(tmp_path: Path) -> None:
    node = Node.of(tmp_path, f"{AKS_2404}# BROKEN\n")
    error = error_of(node.run("install", node.line(elf())))
    assert error == "ConfigRefused: containerd cannot read its configuration as it is: containerd: broken"
    assert node.restarts == 0


def test_images_of_probes_are_imported_once_and_go_again(node: Node) -> None:
    probes = node.folder / "probes"
    probes.mkdir()
    names = ("aks-wasm.dev/probe:1", "aks-wasm.dev/serves:1")
    index = json.dumps({"manifests": [{"annotations": {"io.containerd.image.name": name}} for name in names]}).encode()
    with tarfile.open(probes / "probe.tar", "w") as tar:
        member = tarfile.TarInfo("index.json")
        member.size = len(index)
        tar.addfile(member, io.BytesIO(index))
    for _ in range(2):
        assert node.run("install", node.line(elf())).returncode == 0
        assert (node.root / "images").read_text().split() == [*names]
        assert (node.root / "pins").read_text().split() == [*names]
    assert node.report()["healthy"] is True
    (node.root / "images").write_text("")
    assert node.report()["error"] == "an image of a probe is not there"
    shutil.rmtree(probes)
    assert node.run("remove").returncode == 0
    assert (node.root / "images").read_text() == ""


def test_the_report_tells_what_is_in_effect(node: Node) -> None:
    content = archive(elf())
    node.run("install", node.line(content))
    done = node.run("check")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert json.loads(done.stdout) == {
        "node": "aks-wasm-1",
        "containerd": "2.3.4",
        "config": "/etc/containerd/config.toml",
        "version": 2,
        "plugin": "io.containerd.cri.v1.runtime",
        "imports": False,
        "handlers": ["runc", "test-v1", "untrusted"],
        "systemdCgroup": True,
        "localImagePull": False,
        "shims": [
            {
                "handler": "test-v1",
                "binary": f"/opt/aks-wasm/test/v1/{BINARY}",
                "sha256": hashlib.sha256(content).hexdigest(),
                "ok": True,
            }
        ],
        "healthy": True,
        "error": None,
    }
    with node.binary().open("ab") as binary:
        binary.write(b"!")
    done = node.run("check")
    report = json.loads(done.stdout)
    assert (done.returncode, report["healthy"], report["shims"][0]["ok"]) == (1, False, False)
    assert report["error"] == f"/opt/aks-wasm/test/v1/{BINARY} is not as it was installed"
    assert node.run("install").returncode == 0
    assert node.report()["healthy"] is True


def test_each_part_fits_on_a_screen_or_two_and_says_what_it_is() -> None:
    from aks_wasm.shims.installer import node as parts

    folder = Path(parts.__file__).parent
    assert {path.stem for path in folder.glob("*.sh")} == set(PARTS)
    for part in PARTS:
        text = (folder / f"{part}.sh").read_text()
        assert "\n# ---- " in text
        assert len(text.splitlines()) <= 180, part
