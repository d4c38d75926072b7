from __future__ import annotations

import json

from aks_wasm.shims.node_report import last_error, last_report

REPORT = {
    "node": "n",
    "containerd": "2.3.4",
    "config": "/etc/containerd/config.toml",
    "version": 2,
    "plugin": "io.containerd.cri.v1.runtime",
    "imports": False,
    "handlers": ["runc", "aks-wasm-spin-v0-25-1"],
    "systemdCgroup": True,
    "localImagePull": False,
    "shims": [{"handler": "aks-wasm-spin-v0-25-1", "binary": "/opt/x", "sha256": "ab", "ok": True}],
    "healthy": True,
    "error": None,
}


def test_the_newest_report_counts() -> None:
    older = json.dumps(REPORT | {"healthy": False})
    found = last_report(["looking", older, json.dumps(REPORT), "more talk", '{"node": "cut o'])
    assert found is not None
    assert (found.healthy, found.handlers, found.shims[0].ok) == (True, ("runc", "aks-wasm-spin-v0-25-1"), True)


def test_a_log_without_a_report_has_none() -> None:
    assert last_report(["", "{}", '{"a": 1}', "[1]", '{"node": "n", "shims": [1]}']) is None


def test_the_last_error_is_read_with_its_code() -> None:
    text = "trying\naks-wasm: error: NotFound: 404\naks-wasm: error: HashMismatch: https://x has 12, wanted 34\n"
    found = last_error(text)
    assert found is not None
    assert (found.code, found.words) == ("HashMismatch", "https://x has 12, wanted 34")
    assert last_error("nothing of the kind") is None
