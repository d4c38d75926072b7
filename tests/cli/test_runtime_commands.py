"""`runtime ...` as far as the command line alone decides: options that make no sense, documents, completion."""

from __future__ import annotations

from pathlib import Path

import pytest

from aks_wasm.cli.runtime_answers import complete_shim, selector_of
from aks_wasm.errors import UsageError
from tests.cli.conftest import CommandLine


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("install", "--node-selector", "nope"), "RuntimeInstallation"),
        (("install", "--installer", "kwasm"), "RuntimeInstallation"),
        (("install", "--max-unavailable", "0"), "RuntimeInstallation"),
        (("install", "--name", "x"), "RuntimeInstallation"),
        (("list", "--context", "x"), "RuntimeList"),
        (("verify", "--kubeconfig", "absent"), "RuntimeVerification"),
        (("upgrade", "--kubeconfig", "k.yaml", "--local"), "RuntimeUpgrade"),
        (("remove", "--all"), "RuntimeRemoval"),
    ],
)
def test_what_makes_no_sense_exits_with_2_and_a_document(
    cli: CommandLine, arguments: tuple[str, ...], kind: str
) -> None:
    document = cli.document("runtime", *arguments, code=2)
    assert (document["kind"], document["ok"]) == (kind, False)


def test_a_name_that_is_none_is_refused_before_the_cluster_is_asked(cli: CommandLine) -> None:
    text = "{kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: c}}], clusters: []}"
    Path("k.yaml").write_text(text)
    error = cli.document("runtime", "list", "--kubeconfig", "k.yaml", "--name", "Not A Name", code=2)["error"]
    assert "is no name" in error["message"]


def test_labels_of_nodes_are_read_with_commas_and_repeated() -> None:
    assert selector_of(["a=b,c=d", "e="]) == {"a": "b", "c": "d", "e": ""}
    assert selector_of([]) is None
    for word in ("a", "=b", "a=b,c"):
        with pytest.raises(UsageError, match="is no `KEY=VALUE`"):
            selector_of([word])


def test_shims_are_completed_by_name_and_then_by_version() -> None:
    assert "spin" in complete_shim("sp")
    assert complete_shim("spin@v0.25") == ["spin@v0.25.1"]
    assert "spin@v0.25.1" not in complete_shim("s")
    assert complete_shim("nothing") == []


def test_every_verb_is_in_the_help(cli: CommandLine) -> None:
    said = cli("runtime", "--help").stdout
    assert all(f"  {verb}" in said for verb in ("install", "list", "verify", "upgrade", "remove"))
    assert max(map(len, said.splitlines())) <= 80
