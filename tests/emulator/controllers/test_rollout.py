from __future__ import annotations

from typing import Any

import pytest

from aks_wasm.emulator.cluster.controllers.rollout import (
    DESIRED,
    MAXIMUM,
    Rollout,
    is_scaling,
    size_of_new,
    sizes_after_scaling,
    sizes_of_old,
)


def deployment(replicas: int, surge: int | str = 0, unavailable: int | str = 0) -> dict[str, Any]:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    return {"metadata": {"name": "web"}, "spec": {"replicas": replicas, "strategy": strategy}}


def replica_set(name: str, size: int, available: int | None = None, sized_for: int = 10) -> dict[str, Any]:
    annotations = {DESIRED: str(sized_for), MAXIMUM: str(sized_for)}
    status = {"availableReplicas": size if available is None else available}
    return {"metadata": {"name": name, "annotations": annotations}, "spec": {"replicas": size}, "status": status}


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "bounds"),
    [
        (4, "25%", "25%", (1, 1)),
        (3, "25%", "25%", (1, 0)),
        (10, 2, 3, (2, 3)),
        (1, 0, 0, (0, 1)),
        (2, "1%", "1%", (1, 0)),
    ],
)
def test_shares_are_rounded_up_for_surge_and_down_for_unavailability(
    replicas: int, surge: int | str, unavailable: int | str, bounds: tuple[int, int]
):
    rollout = Rollout(deployment(replicas, surge, unavailable), None, [])
    assert (rollout.max_surge, rollout.max_unavailable) == bounds


def test_the_new_set_grows_only_into_the_room_the_surge_leaves():
    old = replica_set("old", 8)
    assert size_of_new(Rollout(deployment(10, surge=3), replica_set("new", 2), [old])) == 5
    assert size_of_new(Rollout(deployment(10, surge=0), replica_set("new", 2), [old])) == 2


def test_old_sets_shrink_by_what_is_unhealthy_first_and_then_by_what_can_be_spared():
    olds = [replica_set("sick", 4, available=1), replica_set("well", 4)]
    rollout = Rollout(deployment(10, surge=5, unavailable=0), replica_set("new", 6), olds)
    assert sizes_of_old(rollout) == {"sick": 0}


def test_nothing_is_taken_away_while_the_new_pods_are_not_available():
    rollout = Rollout(deployment(4, surge=1), replica_set("new", 1, available=0), [replica_set("old", 4)])
    assert sizes_of_old(rollout) == {}


def test_scaling_in_the_middle_of_a_rollout_is_shared_out_in_proportion():
    sets = replica_set("new", 4), [replica_set("old", 6)]
    rollout = Rollout(deployment(20), *sets)
    assert is_scaling(rollout)
    assert sizes_after_scaling(rollout) == {"old": 12, "new": 8}
    assert sizes_after_scaling(Rollout(deployment(5), *sets)) == {"old": 3, "new": 2}
    assert sizes_after_scaling(Rollout(deployment(0), *sets)) == {"old": 0, "new": 0}


def test_rounding_is_made_good_by_the_largest_set():
    sets = replica_set("new", 3), [replica_set("first", 3), replica_set("second", 4)]
    sizes = sizes_after_scaling(Rollout(deployment(12), *sets))
    assert sum(sizes.values()) == 12
    assert sizes["second"] == max(sizes.values())


def test_a_lone_active_set_takes_the_whole_size():
    rollout = Rollout(deployment(7), replica_set("new", 2), [replica_set("old", 0)])
    assert sizes_after_scaling(rollout) == {"new": 7}


def test_old_sets_go_to_nothing_once_the_new_one_is_all_there():
    rollout = Rollout(deployment(3), replica_set("new", 3), [replica_set("old", 2)])
    assert sizes_after_scaling(rollout) == {"old": 0}
