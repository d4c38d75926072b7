from __future__ import annotations

import pytest

from aks_wasm.emulator.cluster.json_bodies import Document, read

from .conftest import Api

MAPS = "/api/v1/namespaces/default/configmaps"


def test_the_last_of_two_members_counts_and_both_are_noticed_at_every_depth() -> None:
    found = read(b'{"a": {"b": 1, "b": 2}, "c": [{"d": 1, "d": 2, "d": 3}], "e": 1, "e": 2}')
    assert isinstance(found, Document)
    assert found == {"a": {"b": 2}, "c": [{"d": 3}], "e": 2}
    assert found.duplicates == ("e", "a.b", "c[0].d")
    assert type(found["a"]) is dict


@pytest.mark.parametrize("content", [b"[]", b'"text"', b"1"])
def test_other_values_are_returned_as_they_are(content: bytes) -> None:
    assert not isinstance(read(content), dict)


def test_a_member_that_is_written_twice_is_refused_or_warned_of_as_the_client_wishes(api: Api) -> None:
    body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"1","a":"2"}}'
    refused = api.request("POST", f"{MAPS}?fieldValidation=Strict", body)
    assert refused.status_code == 400
    assert 'strict decoding error: duplicate field "data.a"' in refused.json()["message"]
    warned = api.request("POST", f"{MAPS}?fieldValidation=Warn", body)
    assert (warned.status_code, warned.json()["data"]) == (201, {"a": "2"})
    assert 'duplicate field \\"data.a\\"' in warned.headers["Warning"]
