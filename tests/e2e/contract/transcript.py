"""What an API server answered, request by request, without what is different at every run."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
import yaml

from tests.e2e.contract.real_api import Endpoint

PATCHES = {
    "apply": "application/apply-patch+yaml",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
}
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
WATCH_SECONDS = 2
SETTLE_SECONDS = 1
# Members whose value is chance or time; that they are there, and of which type, still counts.
CHANCE = {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "time", "continue", "nodePort"}
CHANCE |= {"clusterIP", "lastTransitionTime", "firstTimestamp", "lastTimestamp", "eventTime", "renewTime", "token"}
WORDS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"\b10\.0\.\d+\.\d+\b"), "<address>"),
    (re.compile(r"kube-api-access-[a-z0-9]{5}"), "kube-api-access-<letters>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<server>"),
    (re.compile(r"^\d+s$"), "<age>"),
    (re.compile(r"(?<=in record \()\d+"), "<version>"),
    (re.compile(r"(?<=object meta: )\d+"), "<version>"),
)


class Transcript:
    """Asks one API server and writes down what it answered."""

    def __init__(self, endpoint: Endpoint, token: str = "owner") -> None:
        self._endpoint = endpoint
        self._url = endpoint.url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(endpoint.authority)
        self._session.headers["Authorization"] = f"Bearer {token}"
        self.lines: list[dict[str, Any]] = []

    def close(self) -> None:
        self._session.close()

    @contextmanager
    def as_token(self, token: str) -> Iterator[Transcript]:
        """Lend one that asks as somebody else and writes into the same transcript."""
        other = Transcript(self._endpoint, token)
        other.lines = self.lines
        try:
            yield other
        finally:
            other.close()

    def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Give the server's own caches (of roles, say) the moment they need; the one place that sleeps."""
        time.sleep(seconds)

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Make a request; return the body as it came, write it down without what is chance."""
        answer = self._send(method, path, body, **options)
        content = _parsed(answer)
        line = {"request": f"{method} {path}", "status": answer.status_code, "body": plain(content)}
        if warned := answer.headers.get("Warning"):
            line["warning"] = warned
        self.lines.append(line)
        return content

    def quietly(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Make a request that is no part of what is compared."""
        return _parsed(self._send(method, path, body, **options))

    def get(self, path: str, **options: Any) -> Any:
        return self.ask("GET", path, **options)

    def post(self, path: str, body: Any, **options: Any) -> Any:
        return self.ask("POST", path, body, **options)

    def put(self, path: str, body: Any) -> Any:
        return self.ask("PUT", path, body)

    def delete(self, path: str, body: Any = None) -> Any:
        return self.ask("DELETE", path, body)

    def patch(self, path: str, body: Any, kind: str = "merge") -> Any:
        return self.ask("PATCH", path, body, media=PATCHES[kind])

    def apply(self, path: str, body: Any, manager: str = "ci", query: str = "") -> Any:
        return self.ask("PATCH", f"{path}?fieldManager={manager}{query}", body, media=PATCHES["apply"])

    def table(self, path: str) -> Any:
        return self.ask("GET", path, accept=TABLE)

    def watch(self, path: str, query: str, count: int) -> list[Any]:
        """Read up to `count` events of a watch; it ends by itself after some seconds."""
        joined = "&" if "?" in path else "?"
        whole = f"{path}{joined}watch=1&timeoutSeconds={WATCH_SECONDS}&{query}"
        events: list[Any] = []
        with self._session.get(self._url + whole, stream=True, timeout=10) as answer:
            for line in answer.iter_lines():
                events.append(json.loads(line))
                if len(events) == count:
                    break
        self.lines.append({"request": f"WATCH {path}", "status": answer.status_code, "body": plain(events)})
        return events

    def _send(
        self, method: str, path: str, body: Any, media: str = "application/json", accept: str = "application/json"
    ) -> requests.Response:
        content = body.encode() if isinstance(body, str) else None if body is None else _encoded(body, media)
        headers = {"Accept": accept, **({"Content-Type": media} if body is not None else {})}
        return self._session.request(method, self._url + path, data=content, headers=headers, timeout=30)


def _encoded(body: Any, media: str) -> bytes:
    return (yaml.safe_dump(body) if media.endswith("yaml") else json.dumps(body)).encode()


def _parsed(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return answer.text


def plain(value: Any, name: str = "") -> Any:
    """Return the value with chance and time replaced by words."""
    if isinstance(value, dict):
        return {key: plain(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        if name == "managedFields":  # sorted by time, which passes a second sooner or later
            value = sorted(
                value, key=lambda entry: (entry["operation"], entry["manager"], entry.get("subresource", ""))
            )
        return [plain(inner) for inner in value]
    if name in CHANCE and value not in (None, "", "None"):
        return f"<{name}>"
    if isinstance(value, str):
        for pattern, word in WORDS:
            value = pattern.sub(word, value)
    return value
