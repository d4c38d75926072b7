from __future__ import annotations

import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest

from aks_wasm.errors import Unreachable
from tests.cutting_relay import CuttingRelay
from tests.kube.running_api import RunningApi, client_of

IN_THE_GREETING, AFTER_THE_GREETING = 1, 2


@pytest.mark.parametrize("after", [IN_THE_GREETING, AFTER_THE_GREETING])
def test_a_connection_that_is_cut_is_made_anew(api: RunningApi, after: int) -> None:
    relay = CuttingRelay(api.port, cuts=2, after=after)
    with relay.running(), client_of(api, port=relay.port) as client:
        assert client.version() == "v1.35.5"
    assert relay.accepted == 3


def test_a_server_that_always_cuts_does_not_answer(api: RunningApi) -> None:
    relay = CuttingRelay(api.port, cuts=1000)
    with relay.running(), client_of(api, port=relay.port) as client, pytest.raises(Unreachable, match="not answer"):
        client.version()
    assert 1 < relay.accepted < 10


def test_connections_made_at_the_same_time_leave_the_shared_context_alone(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: list[list[str]] = []
    original = ssl.SSLContext.set_alpn_protocols

    def set_and_note(context: ssl.SSLContext, names: list[str]) -> None:
        settings.append(names)
        original(context, names)

    monkeypatch.setattr(ssl.SSLContext, "set_alpn_protocols", set_and_note)
    with client_of(api) as client, ThreadPoolExecutor(7) as threads:
        list(threads.map(lambda _: client.list("Node"), range(7)))
    assert settings == [["http/1.1"]]
