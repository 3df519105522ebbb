"""The status of a ModelPipeline: what the operator answers.

Here: the models of what is stored under `status`. Elsewhere: the spec (spec.py), how conditions are set and summarised
(modelpipeline/status.py), who decides what they say (stages/).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from modelpipeline.api.fields import Model, keyed

Time = Annotated[str, Field(max_length=32, json_schema_extra={"format": "date-time"})]
Word = Annotated[str, Field(max_length=253)]
Values = Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=128)]


class StepState(StrEnum):
    """Where a step of the current run is."""

    WAITING = "Waiting"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    CACHED = "Cached"
    CANCELLED = "Cancelled"


class RunState(StrEnum):
    """Where a run is; everything but Active is final."""

    ACTIVE = "Active"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    REJECTED = "Rejected"
    CANCELLED = "Cancelled"


class ConditionStatus(StrEnum):
    """The three answers of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """One condition, as kubectl wait, kstatus and GitOps tools read it."""

    type: Annotated[str, Field(max_length=64)] = Field(description="type of the condition. Example: Ready.")
    status: ConditionStatus = Field(description="status of the condition: True, False or Unknown.")
    reason: Annotated[str, Field(max_length=64)] = Field(description="reason in one CamelCase word. Example: Serving.")
    message: Annotated[str, Field(max_length=512)] = Field(
        description="message says what, where, and the next command to type."
    )
    observed_generation: int = Field(ge=-1, description="observedGeneration is the generation that was judged.")
    last_transition_time: Time = Field(description="lastTransitionTime is when the status last changed.")


class ChildRef(Model):
    """One child, by uid: a namesake of another uid is not ours."""

    kind: Word = Field(description="kind of the child. Example: Job.")
    name: Word = Field(description="name of the child. Example: digits-train-1a2b3c4d.")
    uid: Word = Field(description="uid of the child.")


class Step(Model):
    """One step of the current run."""

    name: Word = Field(description="name of the step. Example: build-server.")
    state: StepState = Field(description="state of the step.")
    reason: Word | None = Field(default=None, description="reason is the condition's reason.")
    message: Annotated[str, Field(max_length=512)] | None = Field(default=None, description="message for a person.")
    key: Word | None = Field(default=None, description="key is a hash of the step's inputs.")
    child: ChildRef | None = Field(default=None, description="child that carries the step out.")
    attempt: int | None = Field(default=None, ge=0, description="attempt counts from 0.")
    started_at: Time | None = Field(default=None, description="startedAt is the API object's time.")
    finished_at: Time | None = Field(default=None, description="finishedAt is the API object's time.")


class ModelRef(Model):
    """Whose model a run deploys: its own, or that of an earlier run when training was Cached."""

    run: Word = Field(description="run that trained the model. Example: 1-1a2b3c4d.")
    dir: Word | None = Field(default=None, description="dir of the model in pods. Example: /mnt/models/digits/1-1a2b.")


class Run(Model):
    """The current run, or the last one when none is active."""

    id: Word = Field(description="id is <number>-<hash8>. Example: 1-1a2b3c4d.")
    number: int = Field(ge=1, description="number counts the pipeline's runs from 1.")
    run_key: Word = Field(description="runKey is a hash of what a run depends on.")
    spec_train_key: Word | None = Field(default=None, description="specTrainKey is a hash of what training depends on.")
    train_key: Word | None = Field(default=None, description="trainKey is specTrainKey plus the trainer's digest.")
    trigger: Word = Field(description="trigger says why the run started. Example: Spec:1.")
    generation: int = Field(ge=0, description="generation of the spec that the run belongs to.")
    state: RunState = Field(description="state of the run.")
    model: ModelRef | None = Field(default=None, description="model that the run deploys.")
    started_at: Time | None = Field(default=None, description="startedAt is when the run was first planned.")
    finished_at: Time | None = Field(default=None, description="finishedAt is when the run ended.")
    commit: Word | None = Field(default=None, description="commit of the last git source that was built.")
    parameters: Values | None = Field(default=None, description="parameters of the run.")
    outputs: Values | None = Field(default=None, description="outputs that training reported.")
    metrics: Values | None = Field(default=None, description="metrics that training reported.")
    metric: Word | None = Field(default=None, description="metric is the first gate's metric. Example: accuracy=0.978.")


class Serving(Model):
    """What serves now."""

    name: Word = Field(description="name of the SeldonDeployment.")
    run: Word = Field(description="run whose model serves.")
    revision: Word = Field(description="revision stamp of the pods.")
    image: Annotated[str, Field(max_length=700)] | None = Field(default=None, description="image that serves.")
    model_dir: Word | None = Field(default=None, description="modelDir in the server's pods.")
    metric: Word | None = Field(default=None, description="metric of the model that serves.")
    url: Annotated[str, Field(max_length=1024)] | None = Field(default=None, description="url for predictions.")
    since: Time | None = Field(default=None, description="since is when this revision was promoted.")


class DeployState(Model):
    """The revision that was applied last."""

    revision: Word | None = Field(default=None, description="revision that was applied.")
    failed_revision: Word | None = Field(
        default=None, description="failedRevision did not roll out and is not applied again until it changes."
    )
    applied_at: Time | None = Field(default=None, description="appliedAt starts the clock of the roll-out.")


class LastPromoted(Model):
    """Enough to make the server again without training."""

    run: Word = Field(description="run that was promoted.")
    run_key: Word = Field(description="runKey of that run.")
    revision: Word = Field(description="revision that was promoted.")
    spec: dict[str, Any] = Field(description="spec of the SeldonDeployment that was promoted.")


class Status(Model):
    """What the operator answers."""

    observed_generation: int | None = Field(
        default=None,
        ge=-1,
        description="observedGeneration is the last generation that was judged; -1 before the first.",
    )
    conditions: Annotated[list[Condition], Field(max_length=32, json_schema_extra=keyed("type"))] | None = Field(
        default=None, description="conditions: Ready summarises, one more a stage."
    )
    spec_run_key: Word | None = Field(default=None, description="specRunKey is the runKey of the last Spec run.")
    run: Run | None = Field(default=None, description="run is the current run, or the last one.")
    steps: Annotated[list[Step], Field(max_length=32, json_schema_extra=keyed("name"))] | None = Field(
        default=None, description="steps of the run, in order."
    )
    images: Annotated[dict[str, Annotated[str, Field(max_length=700)]], Field(max_length=8)] | None = Field(
        default=None, description="images that the run built, by the build's name, by digest."
    )
    serving: Serving | None = Field(default=None, description="serving is what serves now.")
    deploy: DeployState | None = Field(default=None, description="deploy is the revision that was applied last.")
    last_promoted: LastPromoted | None = Field(
        default=None, description="lastPromoted is enough to make the server again without training."
    )
