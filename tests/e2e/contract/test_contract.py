"""The emulator's Kubernetes API answers what the real kube-apiserver answers, but for what the table lists."""

from __future__ import annotations

import pytest

from tests.e2e.contract.differences import Known, differences, known_differences
from tests.e2e.contract.scenarios import SCENARIOS, Space
from tests.e2e.contract.transcript import Transcript

KNOWN = known_differences()
_played: set[str] = set()
_met: set[Known] = set()
ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}


@pytest.mark.parametrize("name", SCENARIOS)
def test_both_servers_answer_the_same(name: str, transcripts: tuple[Transcript, Transcript]) -> None:
    space = Space(name.replace("_", "-"))
    for transcript in transcripts:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space.name}}
        transcript.quietly("POST", "/api/v1/namespaces", namespace)
        transcript.quietly("POST", f"{space.core}/serviceaccounts", ACCOUNT)  # no controller makes it here
        SCENARIOS[name](transcript, space)
    real, emulated = transcripts
    found = list(differences(name, real.lines, emulated.lines))
    _played.add(name)
    _met.update(row for row in KNOWN for one in found if row.covers(one))
    unlisted = [one for one in found if not any(row.covers(one) for row in KNOWN)]
    assert not unlisted, f"{len(unlisted)} differences:\n" + "\n".join(map(str, unlisted))


def test_every_row_of_the_table_is_still_true() -> None:
    if len(_played) < len(SCENARIOS):
        pytest.skip("only some scenarios were played")
    idle = [f"{row.scenario} | {row.place}" for row in KNOWN if row not in _met]
    assert not idle, "rows that match nothing any more:\n" + "\n".join(idle)
