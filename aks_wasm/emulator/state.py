"""The emulator's memory: JSON documents in one sqlite file, written through at once, read from memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aks_wasm.errors import AksWasmError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT, collection TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (collection, key)
)
"""
# The row keeps its id when its body changes, so the order of insertion lives through a restart.
_PUT = """
INSERT INTO documents (collection, key, body) VALUES (?, ?, ?)
ON CONFLICT (collection, key) DO UPDATE SET body = excluded.body
"""


class Documents:
    """Collections of JSON documents; what `put` has returned from is there after `kill -9`.

    Memory holds each document as its JSON text: it is compact, and parsing it is the deep copy.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            AksWasmError: The file can't be written, or is no state of the emulator.
        """
        self._path = path
        self._collections: dict[str, dict[str, str]] = {}
        with self._foreign_errors():
            path.touch(mode=0o600)  # client secrets and signing keys are in it
            # Autocommit: each statement is a transaction of its own.
            self._database = sqlite3.connect(path, isolation_level=None)
            try:
                self._load()
            except sqlite3.Error:
                self._database.close()
                raise

    def get(self, collection: str, key: str) -> dict[str, Any] | None:
        """Return a copy of the document, or None."""
        text = self._collections.get(collection, {}).get(key)
        return None if text is None else _parsed(text)

    def put(self, collection: str, key: str, document: dict[str, Any]) -> None:
        """Keep a copy of the document in place of the one there was.

        Raises:
            AksWasmError: The disk is full or the file can't be written; nothing has changed then.
        """
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        if self._collections.get(collection, {}).get(key) == text:
            return
        with self._foreign_errors():
            self._database.execute(_PUT, (collection, key, text))
        self._collections.setdefault(collection, {})[key] = text

    def delete(self, collection: str, key: str) -> None:
        """Forget the document; nothing happens when there is none."""
        if key not in self._collections.get(collection, {}):
            return
        with self._foreign_errors():
            self._database.execute("DELETE FROM documents WHERE collection = ? AND key = ?", (collection, key))
        del self._collections[collection][key]

    def items(self, collection: str) -> list[tuple[str, dict[str, Any]]]:
        """Return copies of all documents of a collection, in the order they first came in."""
        return [(key, _parsed(text)) for key, text in self._collections.get(collection, {}).items()]

    def collections(self, prefix: str = "") -> list[str]:
        """Return the names of the collections that hold something and start with `prefix`."""
        return [name for name, held in self._collections.items() if held and name.startswith(prefix)]

    def drop(self, prefix: str) -> None:
        """Forget every collection whose name starts with `prefix`."""
        with self._foreign_errors():
            for name in self.collections(prefix):
                self._database.execute("DELETE FROM documents WHERE collection = ?", (name,))
                del self._collections[name]

    def close(self) -> None:
        """Give the file back; the write-ahead log is folded into it."""
        self._database.close()

    def _load(self) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing under NORMAL; only a power cut may lose the last transactions.
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(_SCHEMA)
        for collection, key, text in self._database.execute("SELECT collection, key, body FROM documents ORDER BY id"):
            self._collections.setdefault(collection, {})[key] = text

    @contextmanager
    def _foreign_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            broken = "not a database" in str(error) or "malformed" in str(error)
            raise AksWasmError(
                f"the emulator's state `{self._path}` can't be {'read' if broken else 'written'}: {error}",
                code="StateBroken" if broken else "StateUnwritable",
                hint=f"delete `{self._path}` to start from nothing"
                if broken
                else "free space there, or set `AKS_WASM_HOME` to a folder you may write to",
            ) from error


def _parsed(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    return document
