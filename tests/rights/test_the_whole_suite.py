"""What the operator did in every test of this session, on every cluster, against what it may do.

Runs last and only in a session of all tests (`make test`): in any other session it would say what was not tried.
"""

from __future__ import annotations

import pytest

from tests.support import usage

pytestmark = pytest.mark.whole_suite


@pytest.fixture(scope="module")
def record() -> usage.Record:
    """Give everything that the audit logs of the session say of the operator."""
    return usage.SESSION.record()


def test_case_60_used_but_not_granted_none(record: usage.Record) -> None:
    assert usage.told(record.used - usage.granted()) == []
    # Between an uninstall and the end of its pod the operator is refused what the table does grant: that is no gap.
    asked = {(use, namespace) for use, namespace in record.refused if use not in usage.granted()}
    assert sorted(f"{use} in {namespace}" for use, namespace in asked) == []


def test_case_60_granted_but_unused_none(record: usage.Record) -> None:
    by_admission = usage.granted() - usage.granted(admission=False)
    assert usage.told(usage.granted() - by_admission - record.used) == []
    # test_asked_by_admission.py takes each of these away and sees what is refused.
    assert usage.told(by_admission) == [
        "delete persistentvolumeclaims",
        "update modelpipelines/finalizers.modelpipeline.dev",
    ]


def test_no_namespace_was_touched_in_which_nobody_made_a_pipeline(record: usage.Record) -> None:
    assert record.worked_in - record.applied_in == set()
    assert record.worked_in, "the logs were read"
