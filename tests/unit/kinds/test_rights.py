"""The table of rights against the code that uses them, and against what no role of ours may ever hold."""

from __future__ import annotations

import ast
import dataclasses
import pathlib
import typing
from collections.abc import Iterator

import pytest

import modelpipeline
from modelpipeline.kinds import kind as kinds
from modelpipeline.kinds import rights
from modelpipeline.stages import actions

ROOM = pathlib.Path(modelpipeline.__file__).parent

NEVER_A_RESOURCE = {
    "secrets",
    "configmaps",
    "nodes",
    "nodes/proxy",
    "namespaces",
    "serviceaccounts",
    "serviceaccounts/token",
    "pods/exec",
    "pods/attach",
    "pods/portforward",
    "pods/proxy",
    "services/proxy",
    "pods/ephemeralcontainers",
    "roles",
    "rolebindings",
    "clusterroles",
    "clusterrolebindings",
    "certificatesigningrequests",
}
NEVER_A_GROUP = {"rbac.authorization.k8s.io", "admissionregistration.k8s.io", "certificates.k8s.io", "*"}
VERBS = {"get", "list", "watch", "create", "update", "patch", "delete"}
"""No wildcard, none of escalate, bind, impersonate, approve, use, and no deletecollection."""

GRANTED = {(line.kind, line.subresource, verb) for line in rights.TABLE for verb in line.verbs}


def rules() -> list[kinds.Object]:
    return [rule for section in rights.rules().values() for rule in section]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["resources"][0])
def test_no_rule_is_about_what_an_operator_could_misuse(rule: kinds.Object) -> None:
    assert set(rule) == {"apiGroups", "resources", "verbs"}, "no URLs, no names"
    assert not NEVER_A_GROUP & set(rule["apiGroups"])
    assert not NEVER_A_RESOURCE & set(rule["resources"])
    assert not [resource for resource in rule["resources"] if "*" in resource]
    assert set(rule["verbs"]) <= VERBS


def test_no_rule_is_there_twice_and_none_is_empty() -> None:
    found = [(rule["apiGroups"][0], rule["resources"][0]) for rule in rules()]
    assert len(found) == len(set(found))
    assert all(rule["verbs"] for rule in rules())


def test_beyond_namespaces_nothing_is_written_and_nothing_read_but_which_kinds_there_are() -> None:
    [rule] = rights.rules()["cluster"]
    assert rule["resources"] == ["customresourcedefinitions"]
    assert not {"create", "update", "patch", "delete"} & set(rule["verbs"])


def test_a_pipelines_spec_is_never_written() -> None:
    writes = {verb for kind, sub, verb in GRANTED if kind == kinds.PIPELINE and not sub} - {"get", "list", "watch"}
    assert not writes


def test_every_verb_has_its_reason() -> None:
    assert [line.resource for line in rights.TABLE if not all(line.reasons.values())] == []


def test_what_is_watched_may_be_read() -> None:
    for kind in (kinds.PIPELINE, *kinds.CHILDREN):
        assert {(kind, "", verb) for verb in ("get", "list", "watch")} <= GRANTED


ASKS = {"Create": "create", "Replace": "update", "Patch": "patch", "Delete": "delete", "Look": "get"}


def _calls(room: str, of: typing.Callable[[ast.Call], bool]) -> Iterator[tuple[pathlib.Path, ast.Call]]:
    for path in sorted((ROOM / room).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and of(node):
                yield path, node


def test_plans_ask_for_exactly_the_writes_that_are_granted() -> None:
    """Every action that a stage builds names its kind in so many words, so that reading the source is enough."""
    planned = set()
    for path, call in _calls("stages", lambda call: isinstance(call.func, ast.Name) and call.func.id in ASKS):
        assert isinstance(call.func, ast.Name)
        named = call.args[0]
        where = f"{path.name}:{call.lineno}: name the kind as kind.SOMETHING"
        assert isinstance(named, ast.Attribute), where
        assert ast.unparse(named.value) == "kind", where
        planned.add((getattr(kinds, named.attr), "", ASKS[call.func.id]))
    reads = {(kind, "", verb) for kind in kinds.BY_NAME.values() for verb in ("get", "list", "watch")}
    by_worker = {
        (kinds.PIPELINE, "status", "patch"),
        (kinds.POD, "log", "get"),
        (kinds.EVENT, "", "create"),
        (kinds.CRD, "", "list"),
        (kinds.CRD, "", "watch"),
    }
    assert planned | reads | by_worker == GRANTED


def test_no_action_can_name_a_namespace() -> None:
    """What a plan asks for is done in the namespace of its pipeline: there is no field for another."""
    for action in typing.get_args(actions.Action):
        assert "namespace" not in {field.name for field in dataclasses.fields(action)}


OWN_NAMESPACE = {
    # The key of a pipeline, and the place of an object in the cache, are (namespace, name).
    "key[0]",
    "*key",
    "*place",
    # The namespaces that are watched, or all: for lists, which only bring what is there.
    "scope",
    # Of the pipeline that an Event is about.
    "namespace",
}


def test_every_request_goes_to_the_namespace_of_its_pipeline() -> None:
    def to_the_server(call: ast.Call) -> bool:
        return isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "self._api"

    found = [(path, call) for room in ("runtime", "edge") for path, call in _calls(room, to_the_server)]
    assert len(found) > 10
    for path, call in found:
        assert isinstance(call.func, ast.Attribute)
        # Log and Event calls have no kind in front.
        at = 0 if call.func.attr in ("logs", "create_event") else 1
        assert ast.unparse(call.args[at]) in OWN_NAMESPACE, f"{path.name}:{call.lineno}: {ast.unparse(call)}"
