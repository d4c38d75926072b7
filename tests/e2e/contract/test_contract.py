"""The emulator's Kubernetes API answers what the real kube-apiserver answers, but for what the table lists."""

from __future__ import annotations

import pytest

from tests.e2e.contract.differences import differences, known_differences
from tests.e2e.contract.scenarios import SCENARIOS, Space
from tests.e2e.contract.transcript import Transcript

KNOWN = known_differences()
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
    unlisted = [one for one in found if not any(row.covers(one) for row in KNOWN)]
    assert not unlisted, f"{len(unlisted)} differences:\n" + "\n".join(map(str, unlisted))
