"""Write a pipeline as somebody with few rights, grant a right, and hear what the API server says.

Here: the chart's policies as Helm renders them, users, grants. Elsewhere: what is expected (the tests).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tenacity
import yaml
from kubernetes import client, config

from hack.chart import render
from tests.support.kubectl import Kubectl

Object = dict[str, Any]

AUTHORS = "pipeline-authors"
"""A group that may write pipelines everywhere, and nothing else."""
SYSTEM = render.NAMESPACE
_KIND = ("modelpipeline.dev", "v1alpha1")
soon = tenacity.Retrying(
    wait=tenacity.wait_fixed(0.05),
    stop=tenacity.stop_after_delay(60),
    retry=tenacity.retry_if_result(lambda found: not found),
)


def rendered(name: str = "", **values: Any) -> list[Object]:
    """Return the chart's policies and bindings with these values; `name` is what their names begin with."""
    given = {**values, **({"fullnameOverride": name} if name else {})}
    objects = render.objects(*(f"--set-json={key}={json.dumps(value)}" for key, value in given.items()))
    return [one for one in objects if one["kind"].startswith("ValidatingAdmission")]


class Place:
    """The API server, asked as the administrator: who is made, what is granted, what there is."""

    def __init__(self, kubeconfig: Path, kubectl: Kubectl) -> None:
        self.kubeconfig = kubeconfig
        self.kubectl = kubectl
        self._api = config.new_client_from_config(str(kubeconfig))
        self._rights = client.RbacAuthorizationV1Api(self._api)
        self._reviews = client.AuthorizationV1Api(self._api)
        self.administrator = Author(kubeconfig)
        self._apply_authors()

    def author(self, name: str) -> Author:
        """Return somebody who may write pipelines and nothing else."""
        return Author(self.kubeconfig, name)

    def grant(self, user: str, namespace: str, verb: str, resource: str, *names: str) -> None:
        """Give a right, and wait until the API server knows of it."""
        plural, _, group = resource.partition(".")
        role = f"{user}-{verb}-{plural.replace('/', '-')}"
        rule = {"apiGroups": [group], "resources": [plural], "verbs": [verb], "resourceNames": list(names)}
        metadata = {"generateName": f"{role}-", "namespace": namespace}
        made = self._rights.create_namespaced_role(namespace, {"metadata": metadata, "rules": [rule]})
        self._rights.create_namespaced_role_binding(
            namespace,
            {
                "metadata": metadata,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": made.metadata.name},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
            },
        )
        what, _, below = plural.partition("/")
        about = {"namespace": namespace, "verb": verb, "group": group, "resource": what, "subresource": below}
        for name in names or ("",):
            asked = {**about, "name": name}
            soon(lambda asked=asked: self._allowed(user, asked))

    def make(self, namespace: str, pipeline: Object) -> None:
        """Create a pipeline as the administrator, who may name anything."""
        client.CustomObjectsApi(self._api).create_namespaced_custom_object(*_where(namespace), pipeline)

    def there(self, namespace: str, name: str) -> Object | None:
        """Return a pipeline, None when there is none."""
        try:
            found: Object = client.CustomObjectsApi(self._api).get_namespaced_custom_object(*_where(namespace), name)
        except client.ApiException as error:
            if error.status != 404:
                raise
            return None
        return found

    def policies(self) -> dict[str, Object]:
        """Return every policy, by name, when the API server has checked its types."""

        def checked() -> list[Any]:
            found = api.list_validating_admission_policy().items
            return found if all(_current(one) for one in found) else []

        api = client.AdmissionregistrationV1Api(self._api)
        return {one.metadata.name: one.to_dict() for one in soon(checked)}

    def _allowed(self, user: str, asked: Mapping[str, str]) -> bool:
        review = {"spec": {"user": user, "groups": [AUTHORS], "resourceAttributes": asked}}
        return bool(self._reviews.create_subject_access_review(review).status.allowed)

    def _apply_authors(self) -> None:
        rule = {"apiGroups": [_KIND[0]], "resources": ["modelpipelines"]}
        verbs = ["get", "list", "watch", "create", "update", "patch", "delete"]
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": AUTHORS}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": AUTHORS}
        for body in (
            {"kind": "ClusterRole", "metadata": {"name": AUTHORS}, "rules": [{**rule, "verbs": verbs}]},
            {"kind": "ClusterRoleBinding", "metadata": {"name": AUTHORS}, "roleRef": reference, "subjects": [subject]},
        ):
            self.apply({"apiVersion": "rbac.authorization.k8s.io/v1", **body})

    def apply(self, *objects: Object) -> None:
        """Apply objects as the chart's user would."""
        text = yaml.safe_dump_all(objects)
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=text)

    def remove(self, *objects: Object) -> None:
        """Remove objects again."""
        self.kubectl("delete", "--ignore-not-found", "-f", "-", given=yaml.safe_dump_all(objects))

    def install(self, objects: list[Object], probe: Object, namespace: str, said: str) -> None:
        """Apply policies and wait until they work: until this pipeline of a nobody is refused in these words.

        Policies reach the place where they are asked one after the other, the last one of the list last.
        """
        self.apply(*objects)
        nobody = self.author("nobody")
        soon(lambda: said in nobody.said(namespace, probe))


def _current(policy: Any) -> bool:
    return policy.status is not None and policy.status.observed_generation == policy.metadata.generation


class Author:
    """Somebody who writes pipelines, impersonated: the API server sees this user in every request.

    Without a name it is the administrator.
    """

    def __init__(self, kubeconfig: Path, name: str = "") -> None:
        self.name = name
        connection = config.new_client_from_config(str(kubeconfig))
        if name:
            connection.set_default_header("Impersonate-User", name)
            connection.set_default_header("Impersonate-Group", AUTHORS)
        self._api = client.CustomObjectsApi(connection)

    def said(self, namespace: str, pipeline: Object, *, keep: bool = False) -> str:
        """Return why the API server would not create this pipeline; empty when it would. Without `keep` nothing is."""
        return _said(self._api.create_namespaced_custom_object, *_where(namespace), pipeline, **_kept(keep))

    def patch_said(self, namespace: str, name: str, patch: Any, form: str = "merge-patch+json", **options: Any) -> str:
        """Return why the API server would not take this patch; empty when it would."""
        keep = options.pop("keep", False)
        call = self._api.patch_namespaced_custom_object
        where = (*_where(namespace), name, patch)
        return _said(call, *where, _content_type=f"application/{form}", **_kept(keep), **options)

    def replace_said(self, namespace: str, name: str, pipeline: Object) -> str:
        """Return why the API server would not take this in place of what is there; empty when it would."""
        stored = self._api.get_namespaced_custom_object(*_where(namespace), name)
        newer = {**pipeline, "metadata": {**stored["metadata"], **pipeline["metadata"]}}
        return _said(self._api.replace_namespaced_custom_object, *_where(namespace), name, newer, **_kept(False))

    def status_said(self, namespace: str, name: str, status: Object) -> str:
        """Return why the API server would not take this status; empty when it did."""
        call = self._api.patch_namespaced_custom_object_status
        where = (*_where(namespace), name, {"status": status})
        return _said(call, *where, _content_type="application/merge-patch+json")

    def delete(self, namespace: str, name: str, policy: str = "Background") -> None:
        """Delete a pipeline."""
        self._api.delete_namespaced_custom_object(*_where(namespace), name, propagation_policy=policy)


def _where(namespace: str) -> tuple[str, str, str, str]:
    return (*_KIND, namespace, "modelpipelines")


def _kept(keep: bool) -> dict[str, str]:
    return {} if keep else {"dry_run": "All"}


def _said(call: Any, *arguments: Any, **options: Any) -> str:
    try:
        call(*arguments, field_validation="Strict", **options)
    except client.ApiException as refused:
        if refused.status not in {400, 403, 422}:
            raise
        return str(json.loads(refused.body)["message"])
    return ""
