"""Every reason that a condition, a step or an event can have: what it means and what to do about it.

Here: the one table, from which docs/conditions.md is generated. A reason that is not here is not written. Elsewhere:
who decides on one (stages/), the reasons of the build containers' own words (step/, listed here too).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: the conditions it appears in, its meaning, and the cure (empty when nothing has to be done)."""

    name: str
    conditions: tuple[str, ...]
    meaning: str
    cure: str = ""


PENDING = "Pending"
TRAINING = "Training"
BUILDING = "Building"
DEPLOYING = "Deploying"
SERVING = "Serving"
COMPLETED = "Completed"
SUCCEEDED = "Succeeded"
FAILED = "Failed"
REJECTED = "Rejected"
CANCELLED = "Cancelled"
RUNNING = "Running"
SUPERSEDED = "Superseded"
NOTHING_SERVES = "NothingServes"
INVALID_SPEC = "InvalidSpec"
NOT_ALLOWED = "NotAllowed"
NAME_CONFLICT = "NameConflict"
DEPLOY_TOO_LARGE = "DeployTooLarge"
WAITING_FOR_TERMINATION = "WaitingForTermination"

CLAIM_CREATED = "ClaimCreated"
CLAIM_FOUND = "ClaimFound"
ADOPTED = "Adopted"
CLAIM_NOT_FOUND = "ClaimNotFound"
CLAIM_TERMINATING = "ClaimTerminating"
WAITING_FOR_FIRST_CONSUMER = "WaitingForFirstConsumer"
BOUND = "Bound"
STORAGE_LOST = "StorageLost"
RESIZE_NOT_SUPPORTED = "ResizeNotSupported"

TRAINED = "Trained"
CACHED = "Cached"
TRAINING_FAILED = "TrainingFailed"
TRAINING_TIMEOUT = "TrainingTimeout"
OUTPUT_MISSING = "OutputMissing"
OUTPUT_INVALID = "OutputInvalid"
RESULT_TOO_LARGE = "ResultTooLarge"
RESULT_LOST = "ResultLost"
JOB_DELETED = "JobDeleted"
JOB_CONTRADICTED = "JobContradicted"
POD_PENDING = "PodPending"

GATE_PASSED = "GatePassed"
BELOW_THRESHOLD = "BelowThreshold"
ABOVE_THRESHOLD = "AboveThreshold"
METRIC_INVALID = "MetricInvalid"
GATE_REJECTED = "GateRejected"

IMAGE_BUILT = "ImageBuilt"
BUILD_FAILED = "BuildFailed"
BUILD_TIMEOUT = "BuildTimeout"
BUILD_LOST = "BuildLost"
BUILDER_MOVED = "BuilderMoved"
BUILD_STEP_FAILED = "BuildStepFailed"

DEPLOYED = "Deployed"
ROLLING_OUT = "RollingOut"
ROLLOUT_TIMEOUT = "RolloutTimeout"
ROLLED_BACK = "RolledBack"
SERVER_UNAVAILABLE = "ServerUnavailable"
SERVER_REJECTED = "ServerRejected"
NO_SELDON_OPERATOR = "NoSeldonOperator"

MISSING_CRD = "MissingCRD"
QUOTA_EXCEEDED = "QuotaExceeded"
FORBIDDEN = "Forbidden"
POD_SECURITY_DENIED = "PodSecurityDenied"
API_UNAVAILABLE = "APIUnavailable"
WEBHOOK_UNAVAILABLE = "WebhookUnavailable"
NAMESPACE_TERMINATING = "NamespaceTerminating"
SERVICE_ACCOUNT_MISSING = "ServiceAccountMissing"

_READY = ("Ready",)
_ANY = ("Ready", "StorageReady", "Trained", "ImageBuilt", "Deployed")
_EDIT = "Change the spec (`kubectl edit mpl NAME`): any change starts a new run, and steps that succeeded are Cached."

TABLE = (
    Reason(PENDING, _READY, "Nothing has started yet; the message says what is waited for."),
    Reason(TRAINING, ("Ready", "Trained"), "The training container is running."),
    Reason(BUILDING, ("Ready", "ImageBuilt"), "An image is being built in a pod."),
    Reason(DEPLOYING, _READY, "The SeldonDeployment is written; its roll-out is not complete."),
    Reason(SERVING, ("Ready", "Available"), "The model serves."),
    Reason(COMPLETED, _READY, "Everything is done; there is nothing to deploy."),
    Reason(SUCCEEDED, ("Finished",), "The run ended well."),
    Reason(FAILED, ("Finished",), "The run failed; the stage's condition says why.", _EDIT),
    Reason(REJECTED, ("Finished",), "The run's model did not pass a gate; what served before serves on.", _EDIT),
    Reason(CANCELLED, ("Finished",), "The run was given up."),
    Reason(RUNNING, ("Finished", "Reconciling"), "The run is under way."),
    Reason(SUPERSEDED, ("Trained", "Finished"), "The spec changed, so the run was cancelled for a new one."),
    Reason(NOTHING_SERVES, ("Available",), "No promoted revision is serving."),
    Reason(
        INVALID_SPEC,
        ("Ready", "Stalled"),
        "The spec cannot work; the message names the field. Nothing was started.",
        "Correct the field that the message names and apply again.",
    ),
    Reason(
        NOT_ALLOWED,
        ("Ready", "Stalled"),
        "The spec asks for more than this cluster's administrator allows, or the pipeline is in a namespace where none "
        "may be; the message names the field and what is allowed. Nothing new is started; what runs and serves is "
        "left.",
        "Change the field that the message names, or ask the administrator; see docs/tenancy.md.",
    ),
    Reason(
        NAME_CONFLICT,
        ("Ready", "Stalled", "StorageReady", "Trained", "ImageBuilt", "Deployed"),
        "An object of the name that we need exists and is not ours. It was not touched.",
        "Delete or rename that object, or give the pipeline (or `deploy.name`) another name.",
    ),
    Reason(
        DEPLOY_TOO_LARGE,
        ("Ready", "Stalled"),
        "The server's specification is larger than the 64 KiB that the status keeps to make it again.",
        "Move long values of `deploy.env` to a ConfigMap and name it in `deploy.envFrom`.",
    ),
    Reason(WAITING_FOR_TERMINATION, ("Ready", "Trained"), "The pods of the run before are still ending."),
    Reason(CLAIM_CREATED, ("StorageReady",), "The claim was created and is being provisioned."),
    Reason(CLAIM_FOUND, ("StorageReady",), "The existing claim is there."),
    Reason(ADOPTED, ("StorageReady",), "The retained claim of an earlier pipeline of this name is used again."),
    Reason(
        CLAIM_NOT_FOUND,
        ("StorageReady",),
        "`storage.claimName` names a claim that does not exist.",
        "Create the claim, or name another one: `kubectl get pvc`.",
    ),
    Reason(
        CLAIM_TERMINATING,
        ("StorageReady",),
        "The claim is being deleted; no new pod is started on it.",
        "Wait until it is gone, or see what still uses it: `kubectl describe pvc NAME`.",
    ),
    Reason(
        WAITING_FOR_FIRST_CONSUMER,
        ("StorageReady",),
        "The storage class binds the claim when the training pod is scheduled. This is normal.",
    ),
    Reason(BOUND, ("StorageReady",), "The claim is bound to a volume."),
    Reason(
        STORAGE_LOST,
        ("StorageReady", "Stalled", "Ready"),
        "The claim that held the models is gone. It is never replaced by an empty one.",
        "Restore the claim with its labels, then delete the pipeline and apply it again: it adopts the claim.",
    ),
    Reason(
        RESIZE_NOT_SUPPORTED,
        ("StorageReady",),
        "The storage class cannot grow the claim; the pipeline goes on with the old size.",
        "Set `allowVolumeExpansion` on the class, or take `storage.size` back.",
    ),
    Reason(TRAINED, ("Trained",), "Training ended with exit code 0 and reported what was asked for."),
    Reason(CACHED, ("Trained", "ImageBuilt"), "The result of an earlier run with the same inputs is used."),
    Reason(
        TRAINING_FAILED,
        ("Trained", "Ready", "Stalled"),
        "Training failed as often as `train.backoffLimit` allows; the message holds its last words.",
        f"Read the log with the command in the message. {_EDIT}",
    ),
    Reason(
        TRAINING_TIMEOUT,
        ("Trained", "Ready", "Stalled"),
        "Training took longer than `train.timeoutSeconds`.",
        "Raise `train.timeoutSeconds`, or make training shorter.",
    ),
    Reason(
        OUTPUT_MISSING,
        ("Trained", "Ready", "Stalled"),
        "Training succeeded without reporting a required output.",
        "Write the output to the path in the message, or mark it `optional: true`.",
    ),
    Reason(
        OUTPUT_INVALID,
        ("Trained", "Ready", "Stalled"),
        "What training reported cannot be used: not JSON of the agreed form, or a value that holds `$(`.",
        'Write {"outputs": {...}, "metrics": {...}} to /dev/termination-log.',
    ),
    Reason(
        RESULT_TOO_LARGE,
        ("Trained", "Ready", "Stalled"),
        "The result is longer than the 4,096 bytes that Kubernetes keeps of a termination message.",
        "Report less, or save it to MODEL_DIR and report the file's name.",
    ),
    Reason(
        RESULT_LOST,
        ("Trained", "Ready", "Stalled"),
        "The Job or its pod is gone and its result was not recorded. It is never trained again unasked.",
        "To train again change the spec, for example a parameter: `kubectl edit mpl NAME`.",
    ),
    Reason(
        JOB_DELETED,
        ("Trained", "Ready", "Stalled"),
        "The Job was deleted while it ran, as often as `train.backoffLimit` allows.",
        _EDIT,
    ),
    Reason(
        JOB_CONTRADICTED,
        ("Trained",),
        "The container ended with exit code 0 and the Job went on all the same; the Job was deleted.",
    ),
    Reason(
        POD_PENDING,
        ("Trained", "ImageBuilt", "Deployed"),
        "The pod cannot start yet; the message holds Kubernetes' own reason.",
        "Read it with `kubectl describe pod NAME`.",
    ),
    Reason(GATE_PASSED, ("GatePassed",), "Every threshold was met; the message holds the numbers."),
    Reason(
        BELOW_THRESHOLD,
        ("GatePassed",),
        "A metric is below what the gate asks. Nothing was deployed; what served serves on.",
        "Train better, or change `spec.gate`: a loosened gate is a new run with training Cached.",
    ),
    Reason(
        ABOVE_THRESHOLD,
        ("GatePassed",),
        "A metric is above what the gate allows. Nothing was deployed; what served serves on.",
        "Train better, or change `spec.gate`: a loosened gate is a new run with training Cached.",
    ),
    Reason(
        METRIC_INVALID,
        ("GatePassed",),
        "The metric that the gate asks for was not reported, or is not a number.",
        "Report it in /dev/termination-log, or add `train.metrics` with a pattern that matches the log.",
    ),
    Reason(GATE_REJECTED, ("Ready", "Stalled"), "The model did not pass a gate; see GatePassed.", _EDIT),
    Reason(IMAGE_BUILT, ("ImageBuilt",), "The image was built and pushed; the message holds its digest."),
    Reason(
        BUILD_FAILED,
        ("ImageBuilt", "Ready", "Stalled"),
        "assemble failed; the message holds its last lines.",
        f"Read the log with the command in the message. {_EDIT}",
    ),
    Reason(
        BUILD_TIMEOUT,
        ("ImageBuilt", "Ready", "Stalled"),
        "The build took longer than `build[].timeoutSeconds`.",
        "Raise it.",
    ),
    Reason(BUILD_LOST, ("ImageBuilt",), "The build pod vanished; it is built again."),
    Reason(BUILDER_MOVED, ("ImageBuilt",), "The builder's tag moved during the build; it is built again."),
    Reason(DEPLOYED, ("Deployed",), "The revision is completely rolled out."),
    Reason(ROLLING_OUT, ("Deployed",), "The revision is being rolled out; the message says what is waited for."),
    Reason(
        ROLLOUT_TIMEOUT,
        ("Deployed", "Ready", "Stalled"),
        "The revision was not rolled out within `deploy.timeoutSeconds`; the message holds the pod's own reason.",
        "Correct what the message names and apply again; a change of `deploy` is a new revision.",
    ),
    Reason(
        ROLLED_BACK,
        ("Deployed", "Ready", "Stalled"),
        "The revision failed before and is asked for again, unchanged; the last promoted one serves on.",
        "Change `deploy`: a change is a new revision.",
    ),
    Reason(
        SERVER_UNAVAILABLE,
        ("Ready", "Available"),
        "What was promoted does not serve now; the message says why.",
        "Look at its pods: `kubectl get pods -l modelpipeline.dev/pipeline=NAME`.",
    ),
    Reason(
        SERVER_REJECTED,
        ("Deployed", "Ready", "Stalled"),
        "Seldon's operator refuses the SeldonDeployment; the message holds its words.",
        "Correct `spec.deploy`.",
    ),
    Reason(
        NO_SELDON_OPERATOR,
        ("Deployed",),
        "Nobody has reconciled the SeldonDeployment.",
        "Install Seldon Core, or let it watch this namespace.",
    ),
    Reason(
        MISSING_CRD,
        ("Ready", "Deployed"),
        "The cluster has no SeldonDeployment kind. It is looked for again.",
        "Install Seldon Core 1.17.1 (or its CRD).",
    ),
    Reason(
        QUOTA_EXCEEDED,
        _ANY,
        "A ResourceQuota leaves no room. It is tried again.",
        "Raise the quota or free some: `kubectl describe resourcequota`.",
    ),
    Reason(FORBIDDEN, _ANY, "The operator may not do what it must; the message names verb and resource.", "Grant it."),
    Reason(
        POD_SECURITY_DENIED,
        _ANY,
        "The namespace's Pod Security level refuses the pod; the message names the rule.",
        "Builds need *baseline*; see docs/how-the-build-works.md.",
    ),
    Reason(API_UNAVAILABLE, _ANY, "The API server did not answer. It is tried again."),
    Reason(WEBHOOK_UNAVAILABLE, _ANY, "An admission webhook did not answer. It is tried again.", "Look at its pods."),
    Reason(NAMESPACE_TERMINATING, _ANY, "The namespace is being deleted; nothing new is made."),
    Reason(SERVICE_ACCOUNT_MISSING, _ANY, "The namespace's service account is not there yet. It is tried again."),
    Reason(
        BUILD_STEP_FAILED,
        ("ImageBuilt", "Ready", "Stalled"),
        "A fault of ours or of the node in fetch or push; tried again as often as `backoffLimit`.",
        "Read the container's log with the command in the message.",
    ),
    Reason(
        "CaBundleInvalid",
        ("ImageBuilt", "Ready", "Stalled"),
        "`caConfigMapName` names no ConfigMap with a PEM bundle under ca.crt.",
        "Put the CA's certificate under the key ca.crt.",
    ),
    Reason(
        "SourceTooLarge",
        ("ImageBuilt", "Ready", "Stalled"),
        "The source is larger than `workspaceSize`.",
        "Raise `workspaceSize`, or set `source.path` to the part that is needed.",
    ),
    Reason(
        "GitUnreachable",
        ("ImageBuilt", "Ready", "Stalled"),
        "The git server did not answer.",
        "Check `source.git.url` and the network policy; tried again as often as `backoffLimit`.",
    ),
    Reason(
        "GitAuthFailed",
        ("ImageBuilt", "Ready", "Stalled"),
        "The git server refused, or the repository does not exist.",
        "Check `source.git.url` and `source.git.secretName`.",
    ),
    Reason(
        "RefNotFound",
        ("ImageBuilt", "Ready", "Stalled"),
        "The branch, tag or commit does not exist.",
        "Check `source.git.ref`.",
    ),
    Reason(
        "PathNotFound",
        ("ImageBuilt", "Ready", "Stalled"),
        "The directory is not in the source.",
        "Check `source.path`.",
    ),
    Reason(
        "SourceInvalid", ("ImageBuilt", "Ready", "Stalled"), "The source cannot be used as it is.", "See the message."
    ),
    Reason(
        "BuilderNotFound",
        ("ImageBuilt", "Ready", "Stalled"),
        "The builder image does not exist.",
        "Check `builderImage`.",
    ),
    Reason(
        "NotABuilder",
        ("ImageBuilt", "Ready", "Stalled"),
        "The image is not an s2i builder: no assemble script.",
        "Check `builderImage`.",
    ),
    Reason(
        "MissingS2IEnvironment",
        ("ImageBuilt", "Ready", "Stalled"),
        "The builder needs variables that neither `build[].env` nor .s2i/environment has.",
        "Add the variables that the message names to `build[].env`.",
    ),
    Reason(
        "AssembleUserNeeded",
        ("ImageBuilt", "Ready", "Stalled"),
        "The builder's label asks to assemble as another user; root is never silent.",
        "Add the line that the message holds to the build.",
    ),
    Reason(
        "SecretInvalid",
        ("ImageBuilt", "Ready", "Stalled"),
        "A Secret has not the keys that are needed.",
        "See the message.",
    ),
    Reason(
        "RegistryUnreachable",
        ("ImageBuilt", "Ready", "Stalled"),
        "The registry did not answer.",
        "Check `build[].image`.",
    ),
    Reason(
        "RegistryDenied", ("ImageBuilt", "Ready", "Stalled"), "The registry refused.", "Check `build[].pushSecretName`."
    ),
    Reason(
        "LayerRefused", ("ImageBuilt", "Ready", "Stalled"), "What assemble left cannot be a layer.", "See the message."
    ),
)

BY_NAME = {reason.name: reason for reason in TABLE}
