"""Before anything starts: everything that can be known to be wrong is said now, not after an hour of training.

Here: checks of the spec that no schema can say, and the children, with placeholders for what is not known yet, that are
sent to the API server as a dry run. Elsewhere: the stages that make the real ones.
"""

from __future__ import annotations

import json

from modelpipeline import errors
from modelpipeline.api import reasons
from modelpipeline.api.status import Run
from modelpipeline.kinds import kind
from modelpipeline.kinds.kind import Kind, Object
from modelpipeline.stages import build, deploy, gate, keys, mount, results, storage, substitute, train
from modelpipeline.stages.actions import DryRun, Fault
from modelpipeline.stages.scope import Scope
from modelpipeline.stages.substitute import Values

DEPLOY_LIMIT_BYTES = 64 * 1024
"""What status.lastPromoted may hold of a server (api.md)."""
PLACEHOLDER_DIGEST = "sha256:" + "0" * 64


def check(scope: Scope) -> None:
    """Check what the schema cannot say.

    Raises:
        errors.Stalled: InvalidSpec; the message names the field, what is allowed, and an example.
    """
    spec = scope.spec
    metrics = (spec.train.metrics or ()) if spec.train else ()
    for metric in metrics:
        if problem := results.pattern_problem(metric.pattern):
            raise _invalid(f"spec.train.metrics[{metric.name}].pattern {problem}")
    if problem := results.patterns_problem(metric.pattern for metric in metrics):
        raise _invalid(f"spec.train.metrics: the patterns {problem}")
    for item in spec.gate or ():
        for limit in (item.min, item.max, item.above, item.below):
            if limit is not None and gate.number(limit) is None:
                raise _invalid(f"spec.gate: {limit} of metric {item.metric} is beyond what can be compared")
    model = sorted(n for n in _deploy_names(scope) if n.startswith(("model.", "outputs.", "metrics.")))
    if model and not spec.train:
        raise _invalid(f"spec.deploy.env: $({model[0]}) needs spec.train: without it there is no model")
    if "model.dir" in model and spec.deploy and spec.deploy.storage_mount == "None":
        raise _invalid("spec.deploy.env: $(model.dir) needs the volume; remove deploy.storageMount: None")
    declared = {f"outputs.{output.name}" for output in (spec.train.outputs or () if spec.train else ())}
    unknown = sorted(n for n in model if n.startswith("outputs.") and declared and n not in declared)
    if unknown:
        raise _invalid(
            f"spec.deploy.env: $({unknown[0]}) is no output; spec.train.outputs has "
            f"{', '.join(sorted(n.removeprefix('outputs.') for n in declared))}"
        )


def dry_run(scope: Scope, run: Run) -> DryRun:
    """Return the dry run of every child of this run.

    Raises:
        errors.Stalled: InvalidSpec, when a string refers to a name that does not exist.
    """
    bodies: list[tuple[Kind, Object]] = []
    spec = scope.spec
    # What is not there yet when a step starts may not be named in it: else the run would stop half-way.
    bare = run.model_copy(update={"model": None, "outputs": None, "metrics": None})
    claim = storage.body(scope, spec.storage) if spec.storage else None
    if claim:
        bodies.append((kind.CLAIM, claim))
    for item in spec.build or ():
        bodies.append((kind.POD, build.body(scope, item, run, values(scope, bare), attempt=0)))
    if spec.train:
        image = spec.train.image or _image(scope, spec.train.image_from)
        known = values(scope, bare, images={spec.train.image_from: image} if spec.train.image_from else None)
        bodies.append((kind.JOB, train.body(scope, run, image, known, attempt=0)))
    if spec.deploy:
        image = spec.deploy.image or _image(scope, spec.deploy.image_from)
        name = spec.deploy.name or scope.name
        wanted = deploy.spec(scope, spec.deploy, image, values(scope, run, placeholders=True))
        _check_size(wanted)
        bodies.append((kind.SELDON_DEPLOYMENT, deploy.body(scope, name, wanted)))
    fingerprint = keys.fingerprint([body for _, body in bodies])
    return DryRun(fingerprint, tuple(bodies), scope.uid)


def _check_size(wanted: Object) -> None:
    size = len(json.dumps(wanted).encode())
    if size > DEPLOY_LIMIT_BYTES:
        words = f"spec.deploy makes a SeldonDeployment of {size} bytes, at most {DEPLOY_LIMIT_BYTES} are kept"
        raise errors.Stalled(reasons.DEPLOY_TOO_LARGE, f"{words}; move long values of env to a ConfigMap (envFrom)")


def verdict(scope: Scope, wanted: DryRun) -> dict[str, Fault | None] | None:
    """Return what the API server said of this dry run, None when it was not asked yet."""
    return scope.memory.verdicts.get(wanted.fingerprint)


def values(scope: Scope, run: Run, *, placeholders: bool = False, images: dict[str, str] | None = None) -> Values:
    """Return what may be referred to by $(...) at this point of the run."""
    spec = scope.spec
    known = {f"params.{name}": value for name, value in (spec.parameters or {}).items()}
    known |= {"run.id": run.id, "run.number": str(run.number)}
    if spec.storage:
        known["storage.claimName"] = storage.claim_name(scope.name, spec.storage)
        known["storage.mountPath"] = mount.path(spec.storage)
    if run.model:
        known["model.run"] = run.model.run
        if run.model.dir:
            known["model.dir"] = run.model.dir
    known |= {f"outputs.{name}": value for name, value in (run.outputs or {}).items()}
    known |= {f"metrics.{name}": value for name, value in (run.metrics or {}).items()}
    for item in spec.build or ():
        image = (images or {}).get(item.name) or (f"{item.image}@{PLACEHOLDER_DIGEST}" if placeholders else "")
        if image:
            known[f"images.{item.name}"] = image
    if not placeholders:
        return Values(known)
    if spec.train:
        known.setdefault("model.run", run.id)
        if spec.storage:
            known.setdefault("model.dir", mount.model_dir(scope.name, spec.storage, run.id))
    return Values(known, open=frozenset({"outputs", "metrics"}) if spec.train else frozenset())


def _image(scope: Scope, name: str | None) -> str:
    made = next((item for item in scope.spec.build or () if item.name == name), None)
    if not made:
        raise _invalid(f"imageFrom: there is no build {name!r} in spec.build")
    return f"{made.image}@{PLACEHOLDER_DIGEST}"


def _deploy_names(scope: Scope) -> set[str]:
    return substitute.referred(scope.spec.deploy.env or ()) if scope.spec.deploy else set()


def _invalid(message: str) -> errors.Stalled:
    return errors.Stalled(reasons.INVALID_SPEC, message)
