"""The spec of a ModelPipeline: what a user writes.

Here: the models from which the CRD is generated; their descriptions are the user's documentation. A field is here
when it works. Elsewhere: the status (status.py), the whole object (v1alpha1.py), how models become a CRD (schema/).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from modelpipeline.api import fields
from modelpipeline.api.fields import ATOMIC, Model, keyed, rules


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


class SecretKeyRef(Model):
    """One key of a Secret in the pipeline's namespace."""

    name: fields.ObjectName = Field(description="name of the Secret. Example: wandb.")
    key: fields.DataKey = Field(description="key in the Secret. Example: api-key.")
    optional: bool | None = Field(
        default=None, description="optional lets the container start when the Secret or key is missing. Default false."
    )


class ConfigMapKeyRef(Model):
    """One key of a ConfigMap in the pipeline's namespace."""

    name: fields.ObjectName = Field(description="name of the ConfigMap. Example: settings.")
    key: fields.DataKey = Field(description="key in the ConfigMap. Example: epochs.")
    optional: bool | None = Field(
        default=None,
        description="optional lets the container start when the ConfigMap or key is missing. Default false.",
    )


class EnvVarSource(Model):
    """Where the value of an environment variable comes from."""

    model_config = {
        "json_schema_extra": rules(
            (
                "has(self.secretKeyRef) != has(self.configMapKeyRef)",
                "valueFrom needs exactly one of secretKeyRef and configMapKeyRef, for example "
                "valueFrom: {secretKeyRef: {name: wandb, key: api-key}}",
            )
        )
    }

    secret_key_ref: SecretKeyRef | None = Field(default=None, description="secretKeyRef selects a key of a Secret.")
    config_map_key_ref: ConfigMapKeyRef | None = Field(
        default=None, description="configMapKeyRef selects a key of a ConfigMap."
    )


class EnvVar(Model):
    """One environment variable, in the form Kubernetes has."""

    model_config = {
        "json_schema_extra": rules(
            (
                "!(has(self.value) && has(self.valueFrom))",
                "an environment variable has value or valueFrom, not both",
            )
        )
    }

    name: fields.EnvName = Field(description="name of the variable. Example: EPOCHS.")
    value: fields.Text | None = Field(
        default=None, description='value of the variable; $(params.NAME) is substituted. Default "". Example: "5".'
    )
    value_from: EnvVarSource | None = Field(
        default=None, description="valueFrom takes the value from a Secret or a ConfigMap."
    )


class NameRef(Model):
    """A reference to an object of the pipeline's namespace, by name."""

    name: fields.ObjectName = Field(description="name of the object. Example: settings.")
    optional: bool | None = Field(
        default=None, description="optional lets the container start when the object is missing. Default false."
    )


class EnvFromSource(Model):
    """All keys of a Secret or ConfigMap as environment variables."""

    model_config = {
        "json_schema_extra": rules(
            (
                "has(self.secretRef) != has(self.configMapRef)",
                "an envFrom item needs exactly one of secretRef and configMapRef, for example "
                "envFrom: [{secretRef: {name: credentials}}]",
            )
        )
    }

    prefix: Annotated[str, Field(max_length=128)] | None = Field(
        default=None, description='prefix is put before each key. Default "". Example: AWS_.'
    )
    secret_ref: NameRef | None = Field(default=None, description="secretRef names a Secret.")
    config_map_ref: NameRef | None = Field(default=None, description="configMapRef names a ConfigMap.")


Resources = Annotated[dict[Annotated[str, Field(max_length=63)], fields.ResourceQuantity], Field(max_length=16)]


class ResourceRequirements(Model):
    """Compute resources of one container."""

    requests: Resources | None = Field(
        default=None, description='requests are what the scheduler sets aside. Example: {cpu: "1", memory: 2Gi}.'
    )
    limits: Resources | None = Field(
        default=None, description='limits are what the container may use at most. Example: {nvidia.com/gpu: "1"}.'
    )


EnvList = Annotated[list[EnvVar], Field(max_length=100, json_schema_extra=keyed("name"))]
EnvFromList = Annotated[list[EnvFromSource], Field(max_length=32, json_schema_extra=ATOMIC)]
Words = Annotated[list[fields.Text], Field(max_length=128, json_schema_extra=ATOMIC)]

_SAME = "has(self.{0}) == has(oldSelf.{0}) && (!has(self.{0}) || self.{0} == oldSelf.{0})"


def _immutable(name: str) -> tuple[str, str]:
    return (
        _SAME.format(name),
        f"storage.{name} cannot be changed after creation, because models lie on the volume; make a new pipeline for "
        f"another volume",
    )


class Storage(Model):
    """The shared volume that training writes and the server reads."""

    model_config = {
        "json_schema_extra": rules(
            (
                "has(self.claimName) != has(self.size)",
                "storage needs exactly one of claimName (an existing claim) and size (creates one), for example "
                "storage: {size: 2Gi}",
            ),
            (
                "!has(self.claimName) || (!has(self.accessModes) && !has(self.storageClassName))",
                "storage.accessModes and storage.storageClassName belong to a claim that is created (storage.size); "
                "an existing claim has its own",
            ),
            (
                "has(self.size) == has(oldSelf.size) && (!has(self.size) || "
                "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0)",
                "storage.size may grow, never shrink: a volume cannot be made smaller",
            ),
            _immutable("claimName"),
            _immutable("accessModes"),
            _immutable("storageClassName"),
            _immutable("mountPath"),
            _immutable("subPath"),
        )
    }

    claim_name: fields.ClaimName | None = Field(
        default=None, description="claimName is an existing PersistentVolumeClaim. Immutable. Example: team-models."
    )
    size: fields.Quantity | None = Field(
        default=None,
        description="size creates the claim <pipeline>-models of this size. It may grow, never shrink. Example: 2Gi.",
    )
    access_modes: Annotated[list[AccessMode], Field(min_length=1, max_length=3, json_schema_extra=ATOMIC)] | None = (
        Field(
            default=None,
            description="accessModes of the created claim. Default [ReadWriteMany]. Immutable. Example: [ReadWriteOnce].",
        )
    )
    storage_class_name: fields.ObjectName | None = Field(
        default=None,
        description="storageClassName of the created claim. Default: the cluster's. Immutable. Example: nfs.",
    )
    mount_path: Annotated[str, Field(min_length=2, max_length=256, pattern=r"^(/[-._A-Za-z0-9]+)+$")] | None = Field(
        default=None, description="mountPath in every pod that uses the volume. Default /mnt/models. Immutable."
    )
    sub_path: (
        Annotated[
            str, Field(max_length=256, pattern=r"^([-_A-Za-z0-9]+[-._A-Za-z0-9]*(/[-_A-Za-z0-9]+[-._A-Za-z0-9]*)*)?$")
        ]
        | None
    ) = Field(
        default=None,
        description="subPath is the directory of the claim that is mounted. Default: empty for a created claim, the "
        'pipeline\'s name for claimName, so that sharers cannot overwrite each other. Immutable. Example: "team-a".',
    )
    deletion_policy: DeletionPolicy | None = Field(
        default=None,
        description="deletionPolicy says what becomes of the created claim when the pipeline is deleted: Retain "
        "(default) or Delete. Mutable.",
    )


class Output(Model):
    """One named result of training."""

    name: fields.ParameterName = Field(description="name of the output, used as $(outputs.NAME). Example: location.")
    path: fields.AbsolutePath | None = Field(
        default=None,
        description="path of a file whose whole content, less one trailing newline, is the value. At most one output "
        "has it; then there is no JSON result. Example: /tmp/model-location.",
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

    model_config = {
        "json_schema_extra": rules(
            (
                "has(self.image) != has(self.imageFrom)",
                "train needs exactly one of image and imageFrom (the name of a build), for example "
                "train: {image: registry.example/digits-train:1}",
            ),
            (
                "!has(self.outputs) || self.outputs.filter(o, has(o.path)).size() <= 1",
                "at most one of train.outputs may have a path; several results are reported as JSON in "
                "/dev/termination-log",
            ),
        )
    }

    kind: TrainKind | None = Field(default=None, description="kind is the engine that runs the training. Default Job.")
    image: fields.Image | None = Field(
        default=None, description="image of the training container. Example: registry.example/digits-train:1."
    )
    image_from: fields.BuildName | None = Field(
        default=None, description="imageFrom takes the image of the build of this name. Example: trainer."
    )
    command: Words | None = Field(
        default=None, description='command replaces the image\'s entrypoint. Example: ["python"].'
    )
    args: Words | None = Field(
        default=None,
        description='args of the command; $(params.NAME) is substituted. Example: ["--epochs", "$(params.epochs)"].',
    )
    working_dir: fields.AbsolutePath | None = Field(
        default=None, description="workingDir of the container. Default: the image's. Example: /app."
    )
    env: EnvList | None = Field(
        default=None, description="env of the container; MODEL_DIR and PARAM_<NAME> are added. At most 100."
    )
    env_from: EnvFromList | None = Field(
        default=None, description="envFrom adds all keys of Secrets or ConfigMaps as variables. At most 32."
    )
    resources: ResourceRequirements | None = Field(
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
        default=None, description="backoffLimit is how often a failed training is tried again. Default 0, at most 100."
    )
    timeout_seconds: fields.Seconds | None = Field(
        default=None,
        description="timeoutSeconds after which training is stopped and failed. Default: none. Example: 3600.",
    )
    outputs: Annotated[list[Output], Field(max_length=32, json_schema_extra=keyed("name"))] | None = Field(
        default=None, description="outputs that training must report. At most 32."
    )
    metrics: Annotated[list[Metric], Field(max_length=32, json_schema_extra=keyed("name"))] | None = Field(
        default=None,
        description="metrics that are read from the log by pattern, for programs that only print. At most 32.",
    )


class GitSource(Model):
    """A git repository."""

    url: Annotated[
        str,
        Field(
            min_length=9,
            max_length=1024,
            pattern=r"^(https://[^\s@:/?#][^\s@?#]*|ssh://([A-Za-z0-9._-]+@)?[A-Za-z0-9._-]+(:[0-9]+)?/[^\s?#]+)$",
        ),
    ] = Field(
        description="url of the repository, https or ssh, without credentials. Example: https://git.example/d.git."
    )
    ref: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9_][-._/A-Za-z0-9]*$")] | None = Field(
        default=None,
        description="ref is a branch, a tag or a full commit. Default: the repository's default branch. Example: main.",
    )
    secret_name: fields.ObjectName | None = Field(
        default=None,
        description="secretName of a kubernetes.io/basic-auth or kubernetes.io/ssh-auth Secret (with known_hosts).",
    )


class ConfigMapSource(Model):
    """Source files from a ConfigMap: each key is a file."""

    name: fields.ObjectName = Field(description="name of the ConfigMap. Example: digits-source.")


class Source(Model):
    """Where the source of a build comes from."""

    model_config = {
        "json_schema_extra": rules(
            (
                "has(self.git) != has(self.configMap)",
                "source needs exactly one of git and configMap, for example "
                "source: {git: {url: https://git.example/digits.git}, path: serve}",
            ),
            (
                "!has(self.path) || !self.path.split('/').exists(p, p == '..')",
                "source.path must stay inside the source: no '..', for example path: serve",
            ),
        )
    }

    git: GitSource | None = Field(default=None, description="git clones a repository.")
    config_map: ConfigMapSource | None = Field(default=None, description="configMap takes each key as a file.")
    path: fields.RelativePath | None = Field(
        default=None,
        description="path of the directory to build, inside the source. Default: its root. Example: serve.",
    )


class BuildEnvVar(Model):
    """One variable of the built image, as .s2i/environment would hold it."""

    name: fields.EnvName = Field(description="name of the variable. Example: MODEL_NAME.")
    value: fields.Text = Field(
        description="value of the variable; $(params.NAME) is substituted. It stays in the image: no secrets here."
    )


class Build(Model):
    """One image to build: the builder image runs its own assemble on the source, in a pod."""

    name: fields.BuildName = Field(description="name of the build, at most 18 characters. Example: server.")
    strategy: Strategy | None = Field(default=None, description="strategy is how the image is built. Default S2I.")
    source: Source = Field(description="source that is built.")
    builder_image: fields.Image = Field(
        description="builderImage is the s2i builder. Example: seldonio/seldon-core-s2i-python38:1.17.1."
    )
    env: Annotated[list[BuildEnvVar], Field(max_length=64, json_schema_extra=keyed("name"))] | None = Field(
        default=None,
        description="env is what .s2i/environment would hold, and wins over that file. At most 64. "
        "Seldon's builders need MODEL_NAME, SERVICE_TYPE and PERSISTENCE.",
    )
    assemble_user: fields.Uid | None = Field(
        default=None,
        description="assembleUser runs assemble. Default: the builder image's user; 0 for seldonio/seldon-core-s2i-*.",
    )
    image: fields.Repository = Field(
        description="image is the repository to push to, without tag. Example: registry.example/digits."
    )
    push_secret_name: fields.ObjectName | None = Field(
        default=None,
        description="pushSecretName of a dockerconfigjson Secret, or an Opaque one with username and password or with "
        "config.json. A dockerconfigjson one is also used to pull the image.",
    )
    ca_config_map_name: fields.ObjectName | None = Field(
        default=None, description="caConfigMapName of a ConfigMap whose ca.crt is trusted for git and registry."
    )
    resources: ResourceRequirements | None = Field(
        default=None, description="resources of the assemble container. A change starts no run."
    )
    workspace_size: fields.Quantity | None = Field(
        default=None, description="workspaceSize bounds source and layer. Default 10Gi. Example: 20Gi."
    )
    backoff_limit: Annotated[int, Field(ge=0, le=10)] | None = Field(
        default=None,
        description="backoffLimit is how often a build is tried again after a fault of the moment (git or registry "
        "unreachable, pod evicted). Default 2, at most 10.",
    )
    timeout_seconds: fields.Seconds | None = Field(
        default=None, description="timeoutSeconds after which an attempt is stopped. Default 1800."
    )


class Gate(Model):
    """One threshold on one metric."""

    model_config = {
        "json_schema_extra": rules(
            (
                "has(self.min) || has(self.max) || has(self.above) || has(self.below)",
                'a gate needs at least one of min, max, above and below, for example {metric: accuracy, min: "0.95"}',
            )
        )
    }

    metric: fields.ParameterName = Field(description="metric that is compared. Example: accuracy.")
    min: fields.Decimal | None = Field(
        default=None, description='min is the lowest value that passes. Example: "0.95".'
    )
    max: fields.Decimal | None = Field(
        default=None, description='max is the highest value that passes. Example: "0.1".'
    )
    above: fields.Decimal | None = Field(default=None, description='above must be exceeded. Example: "0.95".')
    below: fields.Decimal | None = Field(default=None, description='below must not be reached. Example: "0.1".')


class Deploy(Model):
    """The server: a SeldonDeployment of one model."""

    model_config = {
        "json_schema_extra": rules(
            (
                "has(self.image) != has(self.imageFrom)",
                "deploy needs exactly one of image and imageFrom (the name of a build), for example "
                "deploy: {imageFrom: server}",
            ),
            (
                "has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)",
                "deploy.name cannot be changed, because the server's address derives from it; make a new pipeline",
            ),
        )
    }

    name: Annotated[str, Field(min_length=1, max_length=52, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")] | None = Field(
        default=None, description="name of the SeldonDeployment. Default: the pipeline's. Immutable. Example: digits."
    )
    image: fields.Image | None = Field(
        default=None, description="image of the model server. Example: registry.example/digits:1."
    )
    image_from: fields.BuildName | None = Field(
        default=None, description="imageFrom takes the image of the build of this name. Example: server."
    )
    env: EnvList | None = Field(
        default=None,
        description="env of the container; $(outputs.NAME), $(model.dir) and others are substituted. At most 100.",
    )
    env_from: EnvFromList | None = Field(
        default=None, description="envFrom adds all keys of Secrets or ConfigMaps as variables. At most 32."
    )
    resources: ResourceRequirements | None = Field(default=None, description="resources of the container.")
    replicas: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="replicas of the server. Default 1."
    )
    run_as_user: fields.Uid | None = Field(default=None, description="runAsUser of the server. Default 8888.")
    fs_group: fields.Uid | None = Field(
        default=None, description="fsGroup that owns the volume. Default 8888 when storage is mounted."
    )
    storage_mount: StorageMount | None = Field(
        default=None,
        description="storageMount is ReadOnly (default when there is storage) or None: the server mounts no volume.",
    )
    timeout_seconds: fields.Seconds | None = Field(
        default=None, description="timeoutSeconds in which a revision must be rolled out. Default 600."
    )
    on_failure: OnFailure | None = Field(
        default=None,
        description="onFailure says what follows a failed roll-out: Rollback (default) applies the last promoted "
        "revision again, Hold leaves the failed one for inspection.",
    )


class Spec(Model):
    """What a pipeline should do."""

    model_config = {
        "json_schema_extra": rules(
            (
                "has(self.train) || has(self.build) || has(self.deploy)",
                "spec needs at least one of train, build and deploy, for example "
                "spec: {train: {image: registry.example/digits-train:1}}",
            ),
            (
                "!has(self.gate) || has(self.train)",
                "spec.gate judges metrics, and only train reports them; add spec.train or remove spec.gate",
            ),
            (
                "!has(oldSelf.storage) || has(self.storage)",
                "spec.storage cannot be removed after creation, because models lie on the volume; make a new pipeline",
            ),
            (
                "has(oldSelf.storage) || !has(self.storage)",
                "spec.storage cannot be added after creation; make a new pipeline with storage from the start",
            ),
            (
                "!has(self.train) || !has(self.train.imageFrom) || "
                "(has(self.build) && self.build.exists(b, b.name == self.train.imageFrom))",
                "spec.train.imageFrom must be the name of an item of spec.build",
            ),
            (
                "!has(self.deploy) || !has(self.deploy.imageFrom) || "
                "(has(self.build) && self.build.exists(b, b.name == self.deploy.imageFrom))",
                "spec.deploy.imageFrom must be the name of an item of spec.build",
            ),
        )
    }

    parameters: (
        Annotated[
            dict[
                Annotated[str, Field(max_length=63)],
                Annotated[str, Field(max_length=1024)],
            ],
            Field(
                max_length=64,
                json_schema_extra=rules(
                    (
                        "self.all(k, k.matches('^[A-Za-z]([-._A-Za-z0-9]*[A-Za-z0-9])?$'))",
                        "a parameter's name starts with a letter and holds letters, digits, '-', '_' and '.', for "
                        "example learning-rate",
                    ),
                    (
                        "self.all(k, !self[k].contains('$('))",
                        "a parameter's value must not contain '$(': values are substituted once, not again",
                    ),
                    (
                        "self.all(k, self.all(l, k == l || k.upperAscii().replace('-', '_').replace('.', '_') != "
                        "l.upperAscii().replace('-', '_').replace('.', '_')))",
                        "two parameters become the same variable PARAM_<NAME> (upper case, '-' and '.' to '_'); "
                        "rename one",
                    ),
                ),
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="parameters are strings for $(params.NAME) and, in training, PARAM_<NAME>. At most 64. "
        'Example: {epochs: "5"}.',
    )
    storage: Storage | None = Field(
        default=None, description="storage is the shared volume. Absent: none, and outputs must be addresses."
    )
    train: Train | None = Field(default=None, description="train is the training step.")
    gate: Annotated[list[Gate], Field(min_length=1, max_length=16, json_schema_extra=ATOMIC)] | None = Field(
        default=None,
        description="gate lists thresholds that metrics must pass before anything is deployed. At most 16.",
    )
    build: Annotated[list[Build], Field(min_length=1, max_length=8, json_schema_extra=keyed("name"))] | None = Field(
        default=None, description="build lists images to build. At most 8; the order is derived."
    )
    deploy: Deploy | None = Field(default=None, description="deploy is the model server. Absent: nothing is deployed.")
