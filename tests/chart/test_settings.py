"""The operator's settings and the chart's values are the same, and reach the operator as they were meant."""

from __future__ import annotations

import argparse
import dataclasses

from hack.chart import comments, render
from modelpipeline import settings
from modelpipeline.stages.policy import Registry
from tests.chart import conftest

# Where the operator runs is the chart's own affair.
THE_CHARTS_OWN = {"kubeconfig", "context", "health_address", "health_port"}
ELSEWHERE = {
    "namespaces": "watchNamespaces",
    "build_image": "buildImage.repository",
    "image_prefixes": "limits.imagePrefixes",
    "resource_ceilings": "limits.resources",
    "storage_ceiling": "limits.storage",
    "replicas_ceiling": "limits.replicas",
    "refused_namespaces": "limits.refusedNamespaces",
}
LEAVES = {value.path: value for value in comments.leaves(comments.read((render.CHART / "values.yaml").read_text()))}


def parsed(*arguments: str, name: str = "default") -> settings.Settings:
    found = render.objects(*arguments, values=[conftest.SETS[name]])
    variables = conftest.one("ConfigMap", found, "modelpipeline-operator")["data"]
    return settings.parse(argparse.Namespace(), variables)


def test_each_setting_has_a_value_and_the_reverse() -> None:
    wanted = {
        ELSEWHERE.get(field.name, f"config.{settings._camel(field.name)}")
        for field in dataclasses.fields(settings.Settings)
        if field.name not in THE_CHARTS_OWN
    }
    assert {path for path in LEAVES if path.startswith(("config.", "limits."))} <= wanted
    assert wanted <= set(LEAVES)


def test_default_values_are_the_operators_defaults() -> None:
    found, defaults = parsed(), settings.Settings()
    given_by_the_chart = {"build_image", "refused_namespaces"}
    for field in dataclasses.fields(settings.Settings):
        if field.name not in given_by_the_chart:
            assert getattr(found, field.name) == getattr(defaults, field.name), field.name
    assert found.refused_namespaces == (*defaults.refused_namespaces, render.NAMESPACE)


def test_the_operator_reads_what_was_said() -> None:
    found = parsed(name="settings")
    assert found.registries == (
        Registry("registry.local:5000", insecure=True),
        Registry("docker.io", mirror="mirror.local/hub"),
    )
    assert dict(found.proxy) == {"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": ".svc,10.0.0.0/8"}
    assert (found.strict_job_status, found.settle_seconds, found.resync_seconds) == (True, 0.5, 60)
    assert (found.workers, found.log_format, found.log_level) == (16, "json", "debug")


def test_the_operator_reads_the_limits() -> None:
    found = parsed("--set=watchNamespaces={team-a,team-b}", name="restricted")
    assert found.namespaces == ("team-a", "team-b")
    assert found.image_prefixes == ("registry.example/{namespace}/", "registry.example/shared/")
    assert dict(found.resource_ceilings) == {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"}
    assert (found.storage_ceiling, found.replicas_ceiling) == ("100Gi", 4)
    assert found.refused_namespaces[-2:] == ("payments", render.NAMESPACE)
    assert found.build_image.endswith(f"build@sha256:{'2' * 64}")


def test_the_pod_restarts_when_a_setting_changes_and_only_then() -> None:
    def checksum(*arguments: str) -> str:
        pod = conftest.one("Deployment", render.objects(*arguments))["spec"]["template"]
        return str(pod["metadata"]["annotations"]["checksum/config"])

    assert checksum("--set=config.workers=3") != checksum()
    assert checksum("--set=limits.storage=1Gi") != checksum()
    assert checksum("--set=nodeSelector.a=b", "--set=crds.keep=false") == checksum()
