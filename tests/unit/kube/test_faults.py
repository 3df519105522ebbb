"""What a user reads when the API server refuses: the answers are those of a real 1.36 API server, word by word."""

from __future__ import annotations

import json
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from modelpipeline import errors
from modelpipeline.kinds import kind as kinds
from modelpipeline.kube import faults

POD = faults.Request("create", kinds.POD, "models", "digits-build")
JOB = faults.Request("create", kinds.JOB, "models", "digits-train")
CLAIM = faults.Request("patch", kinds.CLAIM, "models", "digits-models")
SERVER = faults.Request("create", kinds.SELDON_DEPLOYMENT, "models", "digits")


def status(code: int, message: str, **details: Any) -> bytes:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    return json.dumps({**body, "details": details}).encode()


def cause(field: str, message: str) -> dict[str, str]:
    return {"reason": "FieldValueInvalid", "message": message, "field": field}


DUMP = (
    '{"labels":{"a":"b"},"Spec":{"Containers":[{"Name":"c","Env":[{"Name":"T","Value":"topsecret"}]}]}}: '
    "field is immutable"
)
GO_DUMP = (
    'core.PersistentVolumeClaimSpec{AccessModes:[]string{"}"}, Name:"topsecret: {"}: spec is immutable after creation'
)

REFUSALS = [
    pytest.param(
        SERVER,
        400,
        status(
            400,
            'SeldonDeployment in version "v1" cannot be handled as a SeldonDeployment: strict decoding error: '
            'unknown field "spec.predictors[0].grph", unknown field "spec.other"',
        ),
        "Stalled InvalidSpec",
        'SeldonDeployment digits is refused: unknown field "spec.predictors[0].grph", unknown field "spec.other"',
        id="an unknown field is named, without the server's preamble",
    ),
    pytest.param(
        JOB,
        400,
        status(
            400,
            'Job in version "v1" cannot be handled as a Job: json: cannot unmarshal string into Go struct field '
            "Container.spec.template.spec.containers.ports of type []v1.ContainerPort",
        ),
        "Stalled InvalidSpec",
        "Job digits-train is refused: spec.template.spec.containers.ports may not be a string (wanted ContainerPort)",
        id="a wrong type is told by its field, not by Go's words",
    ),
    pytest.param(
        JOB,
        422,
        status(
            422,
            'Job.batch "digits-train" is invalid: [...]',
            causes=[
                {"message": "Required value", "field": "spec.template.spec.containers[0].env[0].name"},
                cause("spec.resources", 'Invalid value: "2": must be less than or equal to cpu limit of 1'),
                cause("spec.policy", 'Unsupported value: "S": supported values: "A", "N"'),
                cause(
                    "<nil>",
                    "Invalid value: null: some validation rules were not checked because the object was "
                    "invalid; correct the existing errors to complete validation",
                ),
            ],
        ),
        "Stalled InvalidSpec",
        "Job digits-train is refused: spec.template.spec.containers[0].env[0].name: Required value; "
        'spec.resources: must be less than or equal to cpu limit of 1; spec.policy: supported values: "A", "N"',
        id="each cause is told with its field, and the note that something was not checked is left out",
    ),
    pytest.param(
        JOB,
        422,
        status(422, "...", causes=[cause("spec.template", f"Invalid value: {DUMP}")]),
        "Stalled InvalidSpec",
        "Job digits-train is refused: spec.template: field is immutable",
        id="a value that was sent is never repeated: JSON",
    ),
    pytest.param(
        JOB,
        422,
        status(422, "...", causes=[cause("spec", f"Invalid value: {GO_DUMP}")]),
        "Stalled InvalidSpec",
        "Job digits-train is refused: spec: spec is immutable after creation",
        id="a value that was sent is never repeated: a Go dump with braces and colons in its strings",
    ),
    pytest.param(
        faults.Request("patch", kinds.CLAIM, "models", "digits-models"),
        422,
        status(
            422,
            "...",
            causes=[
                cause("spec", 'Forbidden: spec is immutable except for size\n  core.Spec{\n- Name: "topsecret",\n  }')
            ],
        ),
        "Stalled InvalidSpec",
        "PersistentVolumeClaim digits-models is refused: spec: Forbidden: spec is immutable except for size",
        id="a dump of what differs is never repeated",
    ),
    pytest.param(
        faults.Request("create", kinds.PIPELINE, "models", "digits"),
        422,
        status(
            422,
            "...",
            causes=[cause("spec.gate[0]", "Invalid value: a gate needs one of min and max, for example {min: '0.95'}")],
        ),
        "Stalled InvalidSpec",
        "ModelPipeline digits is refused: spec.gate[0]: a gate needs one of min and max, for example {min: '0.95'}",
        id="a CRD rule's own message is kept whole although it stands where a value would",
    ),
    pytest.param(
        JOB,
        422,
        status(
            422,
            "jobs.batch \"digits-train\" is forbidden: ValidatingAdmissionPolicy 'no-batch' with binding 'b' denied "
            "request: not that name",
            causes=[{"message": "ValidatingAdmissionPolicy 'no-batch' with binding 'b' denied request: not that name"}],
        ),
        "Stalled InvalidSpec",
        "Job digits-train is refused by policy no-batch: not that name",
        id="a policy that denies is named",
    ),
    pytest.param(
        SERVER,
        403,
        status(403, 'admission webhook "v1.vseldondeployment.kb.io" denied the request: predictor has no graph'),
        "Stalled InvalidSpec",
        "SeldonDeployment digits is refused by webhook v1.vseldondeployment.kb.io: predictor has no graph",
        id="a webhook that denies is named",
    ),
    pytest.param(
        POD,
        403,
        status(403, 'pods "p" is forbidden: exceeded quota: q, requested: pods=1, used: pods=7, limited: pods=7'),
        "Retryable QuotaExceeded",
        "no room in quota q for Pod digits-build (pods=1; limit pods=7); see: kubectl describe resourcequota -n models",
        id="a full quota is told without what is used, which changes from try to try",
    ),
    pytest.param(
        POD,
        403,
        status(403, 'pods "p" is forbidden: failed quota: q: must specify requests.cpu for: c'),
        "Retryable QuotaExceeded",
        "quota q wants Pod digits-build to say requests.cpu for: c; see: kubectl describe resourcequota -n models",
        id="a quota that wants requests says which",
    ),
    pytest.param(
        POD,
        403,
        status(
            403,
            'pods "p" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true (container "c" must '
            "set securityContext.runAsNonRoot=true)",
        ),
        "Stalled PodSecurityDenied",
        "namespace models enforces Pod Security restricted:latest, which refuses Pod digits-build: runAsNonRoot != "
        'true (container "c" must set securityContext.runAsNonRoot=true); allow it with: kubectl label namespace '
        "models pod-security.kubernetes.io/enforce=baseline --overwrite",
        id="Pod Security names level, rule and the command that allows it",
    ),
    pytest.param(
        POD,
        403,
        status(
            403,
            'pods "p" is forbidden: error looking up service account models/builder: serviceaccount "builder" '
            "not found",
        ),
        "Retryable ServiceAccountMissing",
        "service account builder is not there in namespace models; it is tried again, see: kubectl get serviceaccount "
        "builder -n models",
        id="a service account that is not there yet is waited for",
    ),
    pytest.param(
        POD,
        403,
        status(
            403,
            'pods "p" is forbidden: unable to create new content in namespace models because it is being terminated',
            causes=[{"reason": "NamespaceTerminating", "message": "namespace models is being terminated"}],
        ),
        "Waiting NamespaceTerminating",
        "namespace models is being deleted",
        id="a namespace that ends is nobody's fault",
    ),
    pytest.param(
        POD,
        403,
        status(
            403,
            'pods is forbidden: User "system:serviceaccount:ops:mp" cannot create resource "pods" in API group "" in '
            'the namespace "models"',
        ),
        "Retryable Forbidden",
        'may not create pods in namespace models: grant verb create on pods (API group "") to '
        "system:serviceaccount:ops:mp, then: kubectl auth can-i create pods --as system:serviceaccount:ops:mp "
        "-n models",
        id="a missing right names verb, resource, group and who needs it",
    ),
    pytest.param(
        JOB,
        403,
        status(
            403,
            'jobs.batch "digits-train" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a '
            "resource you can't set finalizers on: , <nil>",
        ),
        "Retryable Forbidden",
        "may not set owner references that block deletion: grant verb update on modelpipelines/finalizers (API group "
        "modelpipeline.dev) to the operator",
        id="the right that owner references need is named",
    ),
    pytest.param(
        JOB,
        403,
        status(
            403,
            'jobs.batch "digits-train" is forbidden: cannot set blockOwnerDeletion in this case because cannot find '
            "RESTMapping for APIVersion modelpipeline.dev/v1alpha1 Kind ModelPipeline: no matches for kind "
            '"ModelPipeline" in version "modelpipeline.dev/v1alpha1"',
        ),
        "Retryable APIUnavailable",
        "the CRD of ModelPipeline is so new that a part of the API server does not know it yet; tried again for about "
        "30 s",
        id="and a CRD that is too new is no missing right",
    ),
    pytest.param(
        CLAIM,
        403,
        status(
            403,
            'persistentvolumeclaims "digits-models" is forbidden: cannot set an ownerRef on a resource you can\'t '
            "delete: , <nil>",
        ),
        "Retryable Forbidden",
        "may not change the owner of PersistentVolumeClaim digits-models: grant verb delete on persistentvolumeclaims "
        '(API group "") to the operator',
        id="and the one that another owner needs",
    ),
    pytest.param(
        SERVER,
        404,
        b"404 page not found\n",
        "Retryable MissingCRD",
        "the cluster has no kind SeldonDeployment (machinelearning.seldon.io/v1); install its CRD, then: kubectl get "
        "crd seldondeployments.machinelearning.seldon.io",
        id="an absent kind is told with the command that shows it",
    ),
    pytest.param(
        SERVER,
        500,
        status(
            500,
            'Internal error occurred: failed calling webhook "v1.mseldondeployment.kb.io": failed to call webhook: '
            'Post "https://10.1.2.3:443/x?timeout=1s": dial tcp 10.1.2.3:443: connect: connection refused',
        ),
        "Retryable WebhookUnavailable",
        "webhook v1.mseldondeployment.kb.io does not answer, so SeldonDeployment digits cannot be written; it is tried "
        "again, see: kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations",
        id="a webhook that is down is not the user's error, and its address is left out",
    ),
    pytest.param(
        JOB,
        413,
        status(413, "Request entity too large: limit is 3145728"),
        "Stalled InvalidSpec",
        "Job digits-train is larger than the API server takes",
        id="too large is final",
    ),
]


@pytest.mark.parametrize(("request_", "code", "body", "kind", "message"), REFUSALS)
def test_a_refusal_is_told_in_one_line_with_its_cure(
    request_: faults.Request, code: int, body: bytes, kind: str, message: str
) -> None:
    error = faults.from_answer(request_, code, body)
    assert f"{_base(error)} {error.reason}" == kind
    assert error.message == message
    assert "topsecret" not in str(error)


def _base(error: errors.OperatorError) -> str:
    return next(base.__name__ for base in type(error).__mro__ if base.__module__ == "modelpipeline.errors")


@pytest.mark.parametrize(
    ("verb", "code", "expected"),
    [
        pytest.param("create", 409, faults.AlreadyExists, id="a create finds the name taken"),
        pytest.param("patch", 409, faults.Conflict, id="a patch comes too late"),
        pytest.param("delete", 409, faults.Conflict, id="a delete finds a namesake"),
        pytest.param("get", 410, faults.Expired, id="a chunk comes too late"),
        pytest.param("get", 401, faults.Unauthorized, id="a token has expired"),
    ],
)
def test_what_the_worker_branches_on_is_a_type_of_its_own(
    verb: str, code: int, expected: type[errors.OperatorError]
) -> None:
    error = faults.from_answer(faults.Request(verb, kinds.JOB, "models", "digits"), code, status(code, "..."))
    assert type(error) is expected
    assert isinstance(error, errors.Retryable)


def test_an_absent_object_is_not_an_absent_kind() -> None:
    gone = faults.from_answer(
        faults.Request("get", kinds.JOB, "models", "digits"), 404, status(404, 'jobs "x" not found', kind="jobs")
    )
    assert isinstance(gone, faults.NotFound)


def test_a_create_into_an_absent_namespace_says_that_the_namespace_is_absent() -> None:
    body = status(404, 'namespaces "models" not found', kind="namespaces", name="models")
    error = faults.from_answer(POD, 404, body)
    assert isinstance(error, faults.NamespaceTerminating)
    assert error.message == "namespace models is not there"


def test_every_way_to_get_no_answer_reads_the_same_so_that_an_outage_is_one_condition() -> None:
    told = {
        str(error)
        for error in (
            faults.unreachable(JOB),
            faults.from_answer(JOB, 429, status(429, "too many requests, retry after 3")),
            faults.from_answer(JOB, 500, status(500, "etcdserver: request timed out")),
            faults.from_answer(JOB, 502, b"<html>bad gateway 10.1.2.3:8443</html>"),
            faults.from_answer(JOB, 503, status(503, "apiserver is shutting down")),
            faults.from_answer(JOB, 504, status(504, "Timeout: request did not complete within 34s")),
        )
    }
    assert told == {
        "APIUnavailable: the API server does not answer or is overloaded (create Job digits-train); it is tried again"
    }


@hypothesis.given(strategies.integers(400, 599), strategies.binary(max_size=2000))
def test_whatever_is_answered_becomes_one_short_printable_line(code: int, body: bytes) -> None:
    error = faults.from_answer(JOB, code, body)
    assert 0 < len(error.message) <= faults.LIMIT
    assert error.message.isprintable()


@hypothesis.given(strategies.integers(400, 599), strategies.text(max_size=3000), strategies.text(max_size=3000))
def test_whatever_a_status_says_becomes_one_short_printable_line(code: int, message: str, told: str) -> None:
    prefixed = f"Invalid value: {told}"
    error = faults.from_answer(POD, code, status(code, message, causes=[cause("spec.x", prefixed)]))
    assert 0 < len(error.message) <= faults.LIMIT
    assert error.message.isprintable()
