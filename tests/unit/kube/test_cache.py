"""The cache never goes back in time, never brings back the dead, and never keeps what nobody reads."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from modelpipeline.api import names
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds.kind import Object
from modelpipeline.kube import cache as caches

KEY = ("models", "digits")


def job(version: int | str, uid: str = "u1", name: str = "digits-train", **more: Any) -> Object:
    metadata = {"namespace": "models", "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"metadata": {**metadata, "labels": {names.PIPELINE: "digits"}, **more}}


def pipeline(version: int, **metadata: Any) -> Object:
    known = {"namespace": "models", "name": "digits", "uid": "p", "resourceVersion": str(version)}
    return {"metadata": {**known, **metadata}}


def versions(cache: caches.Cache) -> list[str]:
    return [caches.version(obj) for obj in cache.snapshot(KEY)["Job"]]


def test_a_newer_version_is_kept_and_told_an_older_or_equal_one_neither() -> None:
    cache = caches.Cache()
    assert cache.put(kinds.JOB, job(9)) == KEY
    assert cache.put(kinds.JOB, job(10)) == KEY
    assert cache.put(kinds.JOB, job(10)) is None
    assert cache.put(kinds.JOB, job(9)) is None
    assert versions(cache) == ["10"]


@pytest.mark.parametrize(("candidate", "known", "expected"), [("10", "9", True), ("9", "10", False), ("9", "9", False)])
def test_versions_are_compared_as_numbers(candidate: str, known: str, expected: bool) -> None:
    assert caches.newer(candidate, known) is expected


def test_versions_that_are_no_numbers_are_taken_as_news_unless_equal() -> None:
    assert caches.newer("b", "a")
    assert caches.newer("a", "b")
    assert not caches.newer("a", "a")


def test_an_answer_that_was_under_way_does_not_bring_back_a_deleted_object() -> None:
    cache = caches.Cache()
    cache.put(kinds.JOB, job(5))
    cache.drop(kinds.JOB, job(7), watched=True)
    assert cache.put(kinds.JOB, job(6)) is None
    assert versions(cache) == []


def test_a_namesake_of_a_deleted_object_is_another_object() -> None:
    cache = caches.Cache()
    cache.put(kinds.JOB, job(5))
    cache.drop(kinds.JOB, job(7), watched=True)
    assert cache.put(kinds.JOB, job(8, uid="u2")) == KEY
    assert versions(cache) == ["8"]


def test_a_late_deletion_does_not_take_the_namesake_away() -> None:
    cache = caches.Cache()
    cache.put(kinds.JOB, job(8, uid="u2"))
    cache.drop(kinds.JOB, job(7, uid="u1"), watched=True)
    assert versions(cache) == ["8"]


def test_the_last_state_of_a_child_whose_deletion_was_watched_is_remembered() -> None:
    cache = caches.Cache()
    cache.put(kinds.JOB, job(5))
    assert cache.drop(kinds.JOB, job(7), watched=True) == KEY
    assert {uid: caches.version(obj) for uid, obj in cache.deleted(KEY).items()} == {"u1": "7"}


def test_a_deletion_that_was_not_watched_is_not_remembered_as_seen() -> None:
    cache = caches.Cache()
    cache.put(kinds.JOB, job(5))
    assert cache.replace(kinds.JOB, "", [], "9") == {KEY}
    assert cache.deleted(KEY) == {}
    assert versions(cache) == []


def test_a_list_does_not_take_away_what_is_newer_than_it() -> None:
    cache = caches.Cache()
    cache.put(kinds.JOB, job(12))
    assert cache.replace(kinds.JOB, "", [], "9") == set()
    assert versions(cache) == ["12"]


def test_a_list_of_one_namespace_says_nothing_of_another() -> None:
    cache = caches.Cache()
    cache.put(kinds.JOB, job(5))
    cache.replace(kinds.JOB, "elsewhere", [], "9")
    assert versions(cache) == ["5"]


def test_an_object_without_our_label_is_not_kept() -> None:
    cache = caches.Cache()
    stranger = job(5)
    del stranger["metadata"]["labels"]
    assert cache.put(kinds.JOB, stranger) is None
    assert cache.size(kinds.JOB) == 0


def test_a_child_whose_label_moves_moves_to_the_other_pipeline() -> None:
    cache = caches.Cache()
    cache.put(kinds.JOB, job(5))
    cache.put(kinds.JOB, job(6, labels={names.PIPELINE: "other"}))
    assert versions(cache) == []
    assert len(cache.snapshot(("models", "other"))["Job"]) == 1


def test_a_deletion_can_be_taken_back_when_only_the_label_was_lost() -> None:
    cache = caches.Cache()
    cache.put(kinds.JOB, job(5))
    cache.drop(kinds.JOB, job(7), watched=True)
    cache.recover(KEY, "u1")
    assert cache.deleted(KEY) == {}
    assert cache.put(kinds.JOB, job(8)) == KEY


def test_what_nobody_reads_is_not_kept() -> None:
    cache = caches.Cache()
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "x" * 1000, "modelpipeline.dev/rerun": "1"}
    cache.put(kinds.PIPELINE, pipeline(1, managedFields=[{"manager": "kubectl"}], annotations=annotations))
    kept = cache.get(kinds.PIPELINE, *KEY)
    assert kept is not None
    assert kept["metadata"]["annotations"] == {"modelpipeline.dev/rerun": "1"}
    assert "managedFields" not in kept["metadata"]
    assert (kept["apiVersion"], kept["kind"]) == ("modelpipeline.dev/v1alpha1", "ModelPipeline")


def test_an_object_that_was_handed_in_is_not_changed() -> None:
    cache = caches.Cache()
    given = pipeline(1, managedFields=[1])
    cache.put(kinds.PIPELINE, given)
    assert given == pipeline(1, managedFields=[1])


def test_what_is_remembered_of_deletions_stays_bounded() -> None:
    cache = caches.Cache()
    for number in range(5000):
        cache.drop(kinds.JOB, job(number, uid=f"u{number}"), watched=True)
    assert len(cache.deleted(KEY)) == 64
    assert "u4999" in cache.deleted(KEY)
    cache.forget(KEY)
    assert cache.deleted(KEY) == {}


EVENTS = strategies.lists(
    strategies.tuples(strategies.booleans(), strategies.sampled_from(["a", "b"]), strategies.integers(1, 30)),
    max_size=30,
)


@hypothesis.given(EVENTS)
def test_in_any_order_the_version_of_one_object_never_falls_and_the_dead_stay_dead(
    events: list[tuple[bool, str, int]],
) -> None:
    cache = caches.Cache()
    dead: set[str] = set()
    highest = 0
    for deleted, uid, version in events:
        if deleted:
            cache.drop(kinds.JOB, job(version, uid=uid), watched=True)
            dead.add(uid)
        else:
            cache.put(kinds.JOB, job(version, uid=uid))
        shown = cache.snapshot(KEY)["Job"]
        assert all(kinds.uid(obj) not in dead for obj in shown)
        assert len(shown) <= 1
        now = int(caches.version(shown[0])) if shown else 0
        assert now >= highest or not shown or deleted
        highest = now
