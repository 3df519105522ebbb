"""The ModelPipeline as a whole, version v1alpha1: names of the kind, its columns, and the rule on its own name.

Here: what the CRD says besides the schema of spec and status. Elsewhere: those (spec.py, status.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from modelpipeline.api import names
from modelpipeline.api.fields import Model, Rule, validated
from modelpipeline.api.spec import Spec
from modelpipeline.api.status import Status

GROUP = names.GROUP
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "ModelPipeline"
LIST_KIND = "ModelPipelineList"
PLURAL = "modelpipelines"
SINGULAR = "modelpipeline"
SHORT_NAMES = ("mpl",)
CATEGORIES = ("ml",)

STATUS_DEFAULT = {"observedGeneration": -1}
"""The default of `status` itself: no tool may read an object as Current before it was looked at once (kstatus)."""


@dataclass(frozen=True, slots=True)
class Column:
    """One printer column; `wide` columns show with `-o wide` only."""

    name: str
    type: str
    json_path: str
    description: str
    wide: bool = False


COLUMNS = (
    Column("Status", "string", '.status.conditions[?(@.type=="Ready")].reason', "Why it is, or is not, ready."),
    Column("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', "Whether this spec is what serves."),
    Column("Run", "integer", ".status.run.number", "The current run."),
    Column("Metric", "string", ".status.run.metric", "The first gate's metric of the current run."),
    Column("Model", "string", ".status.serving.run", "The run whose model serves."),
    Column("URL", "string", ".status.serving.url", "Where predictions are answered."),
    Column("Age", "date", ".metadata.creationTimestamp", "Since when the pipeline exists."),
    Column("Image", "string", ".status.serving.image", "The image that serves.", wide=True),
    Column(
        "Message",
        "string",
        '.status.conditions[?(@.type=="Ready")].message',
        "What is going on, for a person.",
        wide=True,
    ),
)


class ModelPipeline(Model):
    """ModelPipeline trains a model, builds its image and deploys it, each step gated on the one before."""

    model_config = validated(
        Rule(
            f"self.metadata.name.size() <= {names.PIPELINE_NAME_LIMIT}",
            f"metadata.name may have at most {names.PIPELINE_NAME_LIMIT} characters, because the names of Jobs, "
            "pods and Services derive from it; for example digits",
        ),
        Rule(
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "metadata.name must be a DNS label that starts with a letter (a-z, 0-9 and '-', no dots), because "
            "Services are named after it; for example digits",
        ),
    )

    spec: Spec = Field(description="spec is what the pipeline should do.")
    status: Status | None = Field(default=None, description="status is what the operator answers.")
