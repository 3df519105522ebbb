"""The spec of a ModelPipeline: what a user writes.

Here: the models from which the CRD is generated; their descriptions are the user's documentation (bounds are added to
them when the CRD is written). A field is here when it works. Elsewhere: environment and resources of a container
(containers.py), where a build's source comes from (sources.py), the status (status.py), the whole object
(v1alpha1.py), how models become a CRD (schema/).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from modelpipeline.api import containers, fields, sources
from modelpipeline.api.fields import ATOMIC, Model, Rule, keyed, validated


class AccessMode(StrEnum):
    """How many nodes may mount the volume at once."""

    READ_WRITE_ONCE = "ReadWriteOnce"
    READ_WRITE_MANY = "ReadWriteMany"
    READ_WRITE_ONCE_POD = "ReadWriteOncePod"


class DeletionPolicy(StrEnum):
    """What becomes of a created claim when the pipeline is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class TrainKind(StrEnum):
    """The engine that runs the training."""

    JOB = "Job"


class Strategy(StrEnum):
    """How an image is built."""

    S2I = "S2I"


class StorageMount(StrEnum):
    """Whether the server mounts the shared volume."""

    READ_ONLY = "ReadOnly"
    NONE = "None"


class OnFailure(StrEnum):
    """What happens to a revision that did not roll out in time."""

    ROLLBACK = "Rollback"
    HOLD = "Hold"


def _kept(block: str, name: str, why: str) -> Rule:
    """Return the rule that a field is neither added, changed nor removed by an update."""
    return Rule(
        f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})",
        f"{block}.{name} cannot be added, changed or removed after creation, because {why}",
        f".{name}",
        "FieldValueForbidden",
    )


def _volume(name: str) -> Rule:
    return _kept("storage", name, "models lie on the volume; for another volume make a new pipeline")


class Storage(Model):
    """The shared volume that training writes and the server reads."""

    model_config = validated(
        Rule(
            "has(self.claimName) != has(self.size)",
            "storage needs exactly one of claimName (an existing claim) and size (creates one), for example "
            "storage: {size: 2Gi}",
        ),
        Rule(
            "!has(self.claimName) || "
            "!(has(self.accessModes) || has(self.storageClassName) || has(self.deletionPolicy))",
            "accessModes, storageClassName and deletionPolicy belong to a claim that is created (storage.size); an "
            "existing claim has its own, so with claimName remove them, for example storage: {claimName: team-models}",
        ),
        Rule(
            "has(self.size) == has(oldSelf.size)",
            "storage.size cannot be added or removed after creation, because models lie on the volume; for another "
            "volume make a new pipeline",
            ".size",
            "FieldValueForbidden",
        ),
        Rule(
            "!has(self.size) || !has(oldSelf.size) || quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
            "storage.size may grow, never shrink: a volume cannot be made smaller; keep the old size or name a larger "
            "one, for example size: 20Gi",
            ".size",
            "FieldValueForbidden",
        ),
        _volume("claimName"),
        _volume("accessModes"),
        _volume("storageClassName"),
        _volume("mountPath"),
        _volume("subPath"),
    )

    claim_name: fields.ObjectName | None = Field(
        default=None,
        description="claimName is an existing PersistentVolumeClaim. Default: none, size creates one. Immutable. "
        "Example: team-models.",
    )
    size: fields.Size | None = Field(
        default=None,
        description="size creates the claim <pipeline>-models of this size. Default: none, claimName names one. "
        "It may grow, never shrink. Example: 2Gi.",
    )
    access_modes: Annotated[list[AccessMode], Field(min_length=1, max_length=3, json_schema_extra=ATOMIC)] | None = (
        Field(
            default=None,
            description="accessModes of the created claim. Default [ReadWriteMany]. Immutable. "
            "Example: [ReadWriteOnce].",
        )
    )
    storage_class_name: fields.ObjectName | None = Field(
        default=None,
        description="storageClassName of the created claim. Default: the cluster's. Immutable. Example: nfs.",
    )
    mount_path: (
        Annotated[str, Field(min_length=2, max_length=256, pattern=r"^(/[-_A-Za-z0-9][-._A-Za-z0-9]*)+$")] | None
    ) = Field(
        default=None,
        description="mountPath in every pod that uses the volume. Default /mnt/models. Immutable. Example: /models.",
    )
    sub_path: (
        Annotated[
            str, Field(max_length=256, pattern=r"^([-_A-Za-z0-9][-._A-Za-z0-9]*(/[-_A-Za-z0-9][-._A-Za-z0-9]*)*)?$")
        ]
        | None
    ) = Field(
        default=None,
        description="subPath is the directory of the claim that is mounted. Default: empty for a created claim, the "
        'pipeline\'s name for claimName, so that sharers cannot overwrite each other; "" may be written. Immutable. '
        "Example: team-a.",
    )
    deletion_policy: DeletionPolicy | None = Field(
        default=None,
        description="deletionPolicy says what becomes of the created claim when the pipeline is deleted. Default "
        "Retain. Mutable.",
    )


class Output(Model):
    """One named result of training."""

    name: fields.ParameterName = Field(description="name of the output, used as $(outputs.NAME). Example: location.")
    path: fields.AbsolutePath | None = Field(
        default=None,
        description="path of a file whose whole content, less one trailing newline, is the value. At most one output "
        "has it; then there is no JSON result. Default: none, the value is read from the JSON result. "
        "Example: /tmp/model-location.",
    )
    optional: bool | None = Field(
        default=None, description="optional says that the output may be missing or empty. Default false."
    )


class Metric(Model):
    """One metric that is read from the log of the training container."""

    name: fields.ParameterName = Field(description="name of the metric. Example: accuracy.")
    pattern: Annotated[str, Field(min_length=1, max_length=512)] = Field(
        description="pattern is an RE2 expression with exactly one group, over the last 1 MiB of the log; the last "
        'match wins. Example: "val_accuracy=([0-9.]+)".'
    )


class Train(Model):
    """The training step."""

    model_config = validated(
        Rule(
            "has(self.image) != has(self.imageFrom)",
            "train needs exactly one of image and imageFrom (the name of a build), for example "
            "train: {image: registry.example/digits-train:1}",
        ),
        Rule(
            "!has(self.outputs) || self.outputs.filter(o, has(o.path)).size() <= 1",
            "at most one of train.outputs may have a path, because its file is the whole result; report several as "
            'JSON in /dev/termination-log, for example {"outputs": {"location": "s3://models/1"}}',
            ".outputs",
        ),
    )

    kind: TrainKind | None = Field(default=None, description="kind is the engine that runs the training. Default Job.")
    image: fields.Image | None = Field(
        default=None,
        description="image of the training container. Default: that of imageFrom. "
        "Example: registry.example/digits-train:1.",
    )
    image_from: fields.BuildName | None = Field(
        default=None,
        description="imageFrom takes the image of the build of this name. Default: none, image names one. "
        "Example: trainer.",
    )
    command: containers.Words | None = Field(
        default=None,
        description="command replaces the image's entrypoint; $(params.NAME) is substituted. Default: the image's. "
        'Example: ["python", "train.py"].',
    )
    args: containers.Words | None = Field(
        default=None,
        description="args of the command; $(params.NAME) is substituted. Default: the image's. "
        'Example: ["--epochs", "$(params.epochs)"].',
    )
    working_dir: fields.AbsolutePath | None = Field(
        default=None, description="workingDir of the container. Default: the image's. Example: /app."
    )
    env: containers.EnvList | None = Field(
        default=None,
        description="env of the container; MODEL_DIR and PARAM_<NAME> are added. Default: none. "
        'Example: [{name: SEED, value: "1"}].',
    )
    env_from: containers.EnvFromList | None = Field(
        default=None,
        description="envFrom adds all keys of Secrets or ConfigMaps as variables. Default: none. "
        "Example: [{secretRef: {name: credentials}}].",
    )
    resources: containers.ResourceRequirements | None = Field(
        default=None, description="resources of the container. A change starts no run."
    )
    run_as_user: fields.Uid | None = Field(
        default=None, description="runAsUser of the container. Default 8888, never root unasked. Example: 1000."
    )
    run_as_group: fields.Uid | None = Field(
        default=None, description="runAsGroup of the container. Default: the image's. Example: 1000."
    )
    fs_group: fields.Uid | None = Field(
        default=None, description="fsGroup that owns the volume. Default 8888 when storage is mounted. Example: 1000."
    )
    backoff_limit: Annotated[int, Field(ge=0, le=100)] | None = Field(
        default=None, description="backoffLimit is how often a failed training is tried again. Default 0. Example: 2."
    )
    timeout_seconds: fields.Seconds | None = Field(
        default=None,
        description="timeoutSeconds after which training is stopped and failed. Default: none. Example: 3600.",
    )
    outputs: Annotated[list[Output], Field(max_length=32, json_schema_extra=keyed("name"))] | None = Field(
        default=None,
        description="outputs that training must report. Default: none. Example: [{name: location}].",
    )
    metrics: Annotated[list[Metric], Field(max_length=32, json_schema_extra=keyed("name"))] | None = Field(
        default=None,
        description="metrics that are read from the log by pattern, for programs that only print. Default: none, they "
        'are read from the JSON result. Example: [{name: accuracy, pattern: "accuracy=([0-9.]+)"}].',
    )


class BuildEnvVar(Model):
    """One variable of the built image, as .s2i/environment would hold it."""

    name: fields.EnvName = Field(description="name of the variable. Example: MODEL_NAME.")
    value: fields.Text = Field(
        description="value of the variable; $(params.NAME) is substituted. It stays in the image: no secrets here. "
        "Example: Digits."
    )


class Build(Model):
    """One image to build: the builder image runs its own assemble on the source, in a pod."""

    name: fields.BuildName = Field(description="name of the build. Example: server.")
    strategy: Strategy | None = Field(default=None, description="strategy is how the image is built. Default S2I.")
    source: sources.Source = Field(description="source that is built.")
    builder_image: fields.Image = Field(
        description="builderImage is the s2i builder. Example: seldonio/seldon-core-s2i-python38:1.17.1."
    )
    env: Annotated[list[BuildEnvVar], Field(max_length=64, json_schema_extra=keyed("name"))] | None = Field(
        default=None,
        description="env is what .s2i/environment would hold, and wins over that file. Seldon's builders need "
        "MODEL_NAME, SERVICE_TYPE and PERSISTENCE. Default: none. Example: [{name: MODEL_NAME, value: Digits}].",
    )
    assemble_user: fields.Uid | None = Field(
        default=None,
        description="assembleUser runs assemble. Default: the builder image's user; 0 for seldonio/seldon-core-s2i-*. "
        "Example: 1001.",
    )
    image: fields.Repository = Field(
        description="image is the repository to push to, without tag. Example: registry.example/digits."
    )
    push_secret_name: fields.ObjectName | None = Field(
        default=None,
        description="pushSecretName of a dockerconfigjson Secret, or an Opaque one with username and password or with "
        "config.json. A dockerconfigjson one is also used to pull the image. Default: none. Example: regcred.",
    )
    ca_config_map_name: fields.ObjectName | None = Field(
        default=None,
        description="caConfigMapName of a ConfigMap whose ca.crt is trusted for git and registry. Default: none. "
        "Example: git-ca.",
    )
    resources: containers.ResourceRequirements | None = Field(
        default=None, description="resources of the assemble container. A change starts no run."
    )
    workspace_size: fields.Size | None = Field(
        default=None, description="workspaceSize bounds source and layer. Default 10Gi. Example: 20Gi."
    )
    backoff_limit: Annotated[int, Field(ge=0, le=10)] | None = Field(
        default=None,
        description="backoffLimit is how often a build is tried again after a fault of the moment (git or registry "
        "unreachable, pod evicted). Default 2. Example: 4.",
    )
    timeout_seconds: fields.Seconds | None = Field(
        default=None, description="timeoutSeconds after which an attempt is stopped. Default 1800. Example: 3600."
    )


class Gate(Model):
    """One threshold on one metric."""

    model_config = validated(
        Rule(
            "has(self.min) || has(self.max) || has(self.above) || has(self.below)",
            "a gate needs at least one of min, max, above and below, for example {metric: accuracy, min: '0.95'}",
        )
    )

    metric: fields.ParameterName = Field(description="metric that is compared. Example: accuracy.")
    min: fields.Decimal | None = Field(
        default=None, description='min is the lowest value that passes. Default: none. Example: "0.95".'
    )
    max: fields.Decimal | None = Field(
        default=None, description='max is the highest value that passes. Default: none. Example: "0.1".'
    )
    above: fields.Decimal | None = Field(
        default=None, description='above must be exceeded. Default: none. Example: "0.95".'
    )
    below: fields.Decimal | None = Field(
        default=None, description='below must not be reached. Default: none. Example: "0.1".'
    )


class Deploy(Model):
    """The server: a SeldonDeployment of one model."""

    model_config = validated(
        Rule(
            "has(self.image) != has(self.imageFrom)",
            "deploy needs exactly one of image and imageFrom (the name of a build), for example "
            "deploy: {imageFrom: server}",
        ),
        _kept("deploy", "name", "the server's address derives from it; for another address make a new pipeline"),
    )

    name: Annotated[str, Field(min_length=1, max_length=52, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")] | None = Field(
        default=None, description="name of the SeldonDeployment. Default: the pipeline's. Immutable. Example: digits."
    )
    image: fields.Image | None = Field(
        default=None,
        description="image of the model server. Default: that of imageFrom. Example: registry.example/digits:1.",
    )
    image_from: fields.BuildName | None = Field(
        default=None,
        description="imageFrom takes the image of the build of this name. Default: none, image names one. "
        "Example: server.",
    )
    env: containers.EnvList | None = Field(
        default=None,
        description="env of the container; $(outputs.NAME), $(model.dir) and others are substituted. Default: none. "
        "Example: [{name: MODEL_DIR, value: $(model.dir)}].",
    )
    env_from: containers.EnvFromList | None = Field(
        default=None,
        description="envFrom adds all keys of Secrets or ConfigMaps as variables. Default: none. "
        "Example: [{configMapRef: {name: settings}}].",
    )
    resources: containers.ResourceRequirements | None = Field(
        default=None, description="resources of the container. Default: none."
    )
    replicas: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="replicas of the server. Default 1. Example: 3."
    )
    run_as_user: fields.Uid | None = Field(
        default=None, description="runAsUser of the server. Default 8888. Example: 1000."
    )
    fs_group: fields.Uid | None = Field(
        default=None, description="fsGroup that owns the volume. Default 8888 when storage is mounted. Example: 1000."
    )
    storage_mount: StorageMount | None = Field(
        default=None,
        description="storageMount says whether the server mounts the volume. Default ReadOnly when there is storage.",
    )
    timeout_seconds: fields.Seconds | None = Field(
        default=None,
        description="timeoutSeconds in which a revision must be rolled out. Default 600. Example: 1200.",
    )
    on_failure: OnFailure | None = Field(
        default=None,
        description="onFailure says what follows a failed roll-out: Rollback applies the last promoted revision "
        "again, Hold leaves the failed one for inspection. Default Rollback.",
    )


def _of_build(user: str) -> Rule:
    return Rule(
        f"!has(self.{user}) || !has(self.{user}.imageFrom) || "
        f"(has(self.build) && self.build.exists(b, b.name == self.{user}.imageFrom))",
        f"{user}.imageFrom must be the name of an item of spec.build, for example imageFrom: server with "
        "build: [{name: server, ...}]",
        f".{user}.imageFrom",
    )


class Spec(Model):
    """What a pipeline should do."""

    model_config = validated(
        Rule(
            "has(self.train) || has(self.build) || has(self.deploy)",
            "spec needs at least one of train, build and deploy, for example "
            "spec: {train: {image: registry.example/digits-train:1}}",
        ),
        Rule(
            "!has(self.gate) || has(self.train)",
            "gate judges metrics, and only train reports them; remove gate or add train, for example "
            "train: {image: registry.example/digits-train:1}",
            ".gate",
        ),
        Rule(
            "!has(oldSelf.storage) || has(self.storage)",
            "storage cannot be removed after creation, because models lie on the volume; make a new pipeline without "
            "storage",
            ".storage",
            "FieldValueForbidden",
        ),
        Rule(
            "has(oldSelf.storage) || !has(self.storage)",
            "storage cannot be added after creation, because earlier models would not lie on it; make a new pipeline "
            "with storage from the start",
            ".storage",
            "FieldValueForbidden",
        ),
        _of_build("train"),
        _of_build("deploy"),
    )

    parameters: fields.Parameters | None = Field(
        default=None,
        description="parameters are strings for $(params.NAME) and, in training, PARAM_<NAME>. Default: none. "
        'Example: {epochs: "5"}.',
    )
    storage: Storage | None = Field(
        default=None, description="storage is the shared volume. Absent: none, and outputs must be addresses."
    )
    train: Train | None = Field(default=None, description="train is the training step.")
    gate: Annotated[list[Gate], Field(min_length=1, max_length=16, json_schema_extra=ATOMIC)] | None = Field(
        default=None,
        description="gate lists thresholds that metrics must pass before anything is deployed. Default: none. "
        'Example: [{metric: accuracy, min: "0.95"}].',
    )
    build: Annotated[list[Build], Field(min_length=1, max_length=8, json_schema_extra=keyed("name"))] | None = Field(
        default=None, description="build lists images to build; the order is derived. Default: none."
    )
    deploy: Deploy | None = Field(default=None, description="deploy is the model server. Absent: nothing is deployed.")
