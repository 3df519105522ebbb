"""An upgrade in the middle of a pipeline's work loses nothing and repeats nothing.

It starts from the newest package in `released/`, once there is one: put each released chart there, as Helm packed it.
Until then the chart of today, under an older version and with another pod, plays the last release.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from hack.seldon import wire
from tests.node import specs, works
from tests.node.works import Works
from tests.support import ground, pod, release

RELEASED = Path(__file__).with_name("released")
# A training that ends when somebody says so.
TRAINER = """\
import json, pathlib, time
while not pathlib.Path('/tmp/go').exists():
    time.sleep(0.1)
pathlib.Path('/dev/termination-log').write_text(json.dumps({'metrics': {'accuracy': '0.9'}}))
"""


def last_release(to: release.Release) -> Path:
    """Return the package of the chart that is upgraded from."""
    packages = sorted(RELEASED.glob("*.tgz"), key=lambda file: file.stat().st_mtime)
    if packages:
        return packages[-1]
    older = to.folder / "older"
    shutil.copytree(release.CHART, older)
    about = yaml.safe_load((older / "Chart.yaml").read_text())
    (older / "Chart.yaml").write_text(yaml.safe_dump({**about, "version": "0.0.1"}))
    to.run("package", str(older), f"--destination={to.folder}")
    return to.folder / f"{about['name']}-0.0.1.tgz"


async def test_an_upgrade_while_a_pipeline_trains_repeats_nothing(
    going: Works, bare: release.Release, values: dict[str, Any], operator: pod.Operator
) -> None:
    release.make_namespace(going.kubectl)
    before = {**values, "config": {**values["config"], "workers": 2}, "podAnnotations": {"release": "last"}}
    bare.apply(before, "--wait", "--timeout=3m", chart=last_release(bare))
    (old,) = operator.pods()
    await going.apply(pipeline(going))
    trainer = await started(going)

    bare.apply(values, "--wait", "--timeout=3m")
    (new,) = operator.pods()
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    assert new["metadata"]["labels"]["helm.sh/chart"] != old["metadata"]["labels"]["helm.sh/chart"]
    going.kubectl("exec", trainer["metadata"]["name"], "-n", going.namespace, "--", "touch", "/tmp/go")
    done = await going.ready("upgraded")

    assert done["status"]["run"]["number"] == 1
    created = sorted(entry.resource for entry in going.audit.changes() if entry.verb == "create")
    assert created == ["jobs", "persistentvolumeclaims", "pods", "seldondeployments"]
    assert [entry for entry in going.audit.changes() if entry.verb == "delete"] == []
    (pod_of_job,) = await going.children(wire.PODS, "train")
    assert pod_of_job["metadata"]["uid"] == trainer["metadata"]["uid"], "training was not disturbed"
    assert (await going.one(wire.SELDON_DEPLOYMENTS))["metadata"]["generation"] == 1
    assert going.manifests() == 1


def pipeline(on: Works) -> dict[str, Any]:
    """Return a pipeline of all steps."""
    return specs.pipeline(
        "upgraded",
        storage=specs.storage(),
        train=specs.script(on.place, TRAINER),
        gate=[{"metric": "accuracy", "min": "0.80"}],
        build=[specs.build(on.place, on.repository())],
        deploy=specs.deploy(),
    )


async def started(on: Works) -> dict[str, Any]:
    """Wait until the trainer runs and the image is built, and give the trainer's pod."""
    await on.until("upgraded", lambda p: ground.says(p, "ImageBuilt")[0] == "True")

    async def runs() -> bool:
        return [found["status"]["phase"] for found in await on.children(wire.PODS, "train")] == ["Running"]

    await on.until_true(runs)
    (trainer,) = await on.children(wire.PODS, "train")
    assert len(await on.children(works.JOBS)) == 1
    return trainer
