"""What a step's container takes in the form that Kubernetes has: environment and resources.

Here: the pieces that training and server share. Elsewhere: the steps themselves (spec.py).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modelpipeline.api import fields
from modelpipeline.api.fields import ATOMIC, Model, Rule, keyed, rules, validated


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

    model_config = validated(
        Rule(
            "has(self.secretKeyRef) != has(self.configMapKeyRef)",
            "valueFrom needs exactly one of secretKeyRef and configMapKeyRef, for example "
            "valueFrom: {secretKeyRef: {name: wandb, key: api-key}}",
        )
    )

    secret_key_ref: SecretKeyRef | None = Field(default=None, description="secretKeyRef selects a key of a Secret.")
    config_map_key_ref: ConfigMapKeyRef | None = Field(
        default=None, description="configMapKeyRef selects a key of a ConfigMap."
    )


class EnvVar(Model):
    """One environment variable, in the form Kubernetes has."""

    model_config = validated(
        Rule(
            "!has(self.value) || !has(self.valueFrom)",
            "an environment variable has value or valueFrom, not both, for example {name: EPOCHS, value: '5'}",
        )
    )

    name: fields.KubernetesEnvName = Field(description="name of the variable. Example: EPOCHS.")
    value: fields.Text | None = Field(
        default=None,
        description='value of the variable; $(params.NAME) and others are substituted. Default "". Example: "5".',
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

    model_config = validated(
        Rule(
            "has(self.secretRef) != has(self.configMapRef)",
            "an envFrom item needs exactly one of secretRef and configMapRef, for example "
            "envFrom: [{secretRef: {name: credentials}}]",
        )
    )

    prefix: Annotated[str, Field(max_length=128, pattern=r"^([-._A-Za-z][-._A-Za-z0-9]*)?$")] | None = Field(
        default=None, description='prefix is put before each key. Default "". Example: AWS_.'
    )
    secret_ref: NameRef | None = Field(default=None, description="secretRef names a Secret.")
    config_map_ref: NameRef | None = Field(default=None, description="configMapRef names a ConfigMap.")


_RESOURCE_NAMES = Rule(
    "self.all(k, k.size() <= 128)",
    "the name of a resource has at most 128 characters, for example nvidia.com/gpu",
)
Quantities = Annotated[
    dict[str, fields.ResourceQuantity], Field(max_length=16, json_schema_extra=rules(_RESOURCE_NAMES))
]


class ResourceRequirements(Model):
    """Compute resources of one container."""

    requests: Quantities | None = Field(
        default=None,
        description="requests are what the scheduler sets aside. Default: the limits. "
        'Example: {cpu: "1", memory: 2Gi}.',
    )
    limits: Quantities | None = Field(
        default=None,
        description="limits are what the container may use at most. Default: none. "
        'Example: {memory: 2Gi, nvidia.com/gpu: "1"}.',
    )


EnvList = Annotated[list[EnvVar], Field(max_length=100, json_schema_extra=keyed("name"))]
EnvFromList = Annotated[list[EnvFromSource], Field(max_length=32, json_schema_extra=ATOMIC)]
Words = Annotated[list[fields.Text], Field(max_length=128, json_schema_extra=ATOMIC)]
