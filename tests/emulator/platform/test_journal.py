from __future__ import annotations

from aks_wasm.emulator.journal import Journal


def test_the_oldest_requests_go_first_and_numbers_go_on():
    journal = Journal(capacity=2)
    note = journal.listener("kubernetes", "demo")
    for path in ("/a", "/b?token=secret", "/c"):
        note("GET", path, 200, 0.5)
    kept = journal.since(0)
    assert [(entry["number"], entry["path"], entry["cluster"]) for entry in kept] == [
        (2, "/b", "demo"),
        (3, "/c", "demo"),
    ]
    assert [entry["path"] for entry in journal.since(2)] == ["/c"]
