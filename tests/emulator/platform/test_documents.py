from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aks_wasm.emulator.state import Documents
from aks_wasm.errors import AksWasmError

KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from aks_wasm.emulator.state import Documents
documents = Documents(Path(sys.argv[1]))
for number in range(100):
    documents.put("numbers", str(number), {"number": number})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def documents(path) -> Iterator[Documents]:
    opened = Documents(path)
    yield opened
    opened.close()


def test_a_document_comes_back_as_it_was_put(documents):
    documents.put("clusters", "a", {"name": "ä", "pools": [{"count": 2}]})
    assert documents.get("clusters", "a") == {"name": "ä", "pools": [{"count": 2}]}
    assert documents.get("clusters", "b") is None
    assert documents.get("nothing", "a") is None


def test_changing_what_went_in_or_came_out_changes_nothing_kept(documents):
    document = {"pools": [1]}
    documents.put("clusters", "a", document)
    document["pools"].append(2)
    documents.get("clusters", "a")["pools"].append(3)
    documents.items("clusters")[0][1]["pools"].append(4)
    assert documents.get("clusters", "a") == {"pools": [1]}


def test_documents_keep_the_order_they_first_came_in_through_changes_and_restarts(documents, path):
    for key in ("c", "a", "b"):
        documents.put("clusters", key, {})
    documents.put("clusters", "c", {"changed": True})
    assert [key for key, _ in documents.items("clusters")] == ["c", "a", "b"]
    documents.close()
    again = Documents(path)
    assert again.items("clusters") == [("c", {"changed": True}), ("a", {}), ("b", {})]
    again.close()


def test_a_deleted_document_is_gone_after_a_restart_too(documents, path):
    documents.put("clusters", "a", {})
    documents.delete("clusters", "a")
    documents.delete("clusters", "a")
    documents.close()
    again = Documents(path)
    assert again.items("clusters") == []
    again.close()


def test_dropping_a_prefix_takes_only_its_collections(documents):
    for collection in ("cluster:a:pods", "cluster:a:nodes", "cluster:ab:pods"):
        documents.put(collection, "x", {})
    documents.drop("cluster:a:")
    assert documents.collections("cluster:") == ["cluster:ab:pods"]


def test_what_was_put_is_there_after_kill_9(path):
    killed = subprocess.run([sys.executable, "-c", KILLED_WRITER, str(path)], check=False)
    assert killed.returncode == -9
    documents = Documents(path)
    assert len(documents.items("numbers")) == 100
    documents.close()


def test_the_state_is_readable_by_its_owner_only(documents, path):
    documents.put("identity", "key", {})
    files = list(path.parent.iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_file_that_is_no_state_is_named_with_the_way_out(path):
    path.write_text("this is not a database, it is a letter to somebody" * 10)
    with pytest.raises(AksWasmError, match="can't be read") as caught:
        Documents(path)
    assert caught.value.code == "StateBroken"
    assert str(path) in caught.value.hint


def test_a_folder_that_is_not_there_is_a_state_that_cannot_be_written(tmp_path):
    with pytest.raises(AksWasmError, match="can't be written") as caught:
        Documents(tmp_path / "missing" / "state.db")
    assert caught.value.code == "StateUnwritable"


def test_a_full_disk_is_an_error_and_the_document_stays_as_it_was(documents):
    documents.put("clusters", "a", {"name": "before"})
    documents._database.execute("PRAGMA max_page_count = 1")  # sqlite answers as on a full disk
    with pytest.raises(AksWasmError, match="can't be written"):
        documents.put("clusters", "a", {"name": "x" * 1_000_000})
    assert documents.get("clusters", "a") == {"name": "before"}
