"""HTTP for tests, one connection a request, so that a load balancer takes turns."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str


async def fetch(address: str, path: str, *, body: bytes | None = None, **headers: str) -> Answer:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
        session.request(
            "GET" if body is None else "POST", address + path, data=body, headers=headers, allow_redirects=False
        ) as response,
    ):
        found = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, found, await response.text())
