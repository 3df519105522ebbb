"""Settings: where they come from, what is refused, and that no password of a URL is ever printed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from modelpipeline import settings
from modelpipeline.stages.policy import Limits, Registry

ROOT = Path(__file__).resolve().parents[2]


def parse(*flags: str, environment: Mapping[str, str] | None = None) -> settings.Settings:
    parser = argparse.ArgumentParser()
    settings.add_flags(parser)
    return settings.parse(parser.parse_args(flags), environment or {})


def test_nothing_given_is_the_defaults() -> None:
    assert parse() == settings.Settings()


def test_a_flag_wins_over_its_variable() -> None:
    chosen = parse("--workers", "3", environment={"MODELPIPELINE_WORKERS": "5", "MODELPIPELINE_LOG_LEVEL": "debug"})
    assert (chosen.workers, chosen.log_level) == (3, "debug")


def test_an_empty_variable_is_none() -> None:
    assert parse(environment={"MODELPIPELINE_WORKERS": ""}).workers == 8


def test_variables_that_kubernetes_makes_of_a_service_of_our_name_do_no_harm() -> None:
    environment = {"MODELPIPELINE_SERVICE_HOST": "10.0.0.1", "MODELPIPELINE_PORT": "tcp://10.0.0.1:80"}
    assert parse(environment=environment) == settings.Settings()


def test_namespaces_are_a_list_without_duplicates() -> None:
    assert parse("--namespaces", "models, team-a,models,").namespaces == ("models", "team-a")


REGISTRIES = (Registry("10.88.0.1:5000", insecure=True), Registry("docker.io", mirror="mirror.local/hub"))


@pytest.mark.parametrize(
    ("flags", "environment"),
    [
        pytest.param(
            (
                "--registry",
                "prefix=10.88.0.1:5000,insecure=true",
                "--registry",
                "prefix=docker.io,mirror=mirror.local/hub",
            ),
            {},
            id="as repeated flags",
        ),
        pytest.param(
            (),
            {
                "MODELPIPELINE_REGISTRIES": '[{"prefix": "10.88.0.1:5000", "insecure": true}, '
                '{"prefix": "docker.io", "mirror": "mirror.local/hub"}]'
            },
            id="as JSON in the variable",
        ),
        pytest.param(
            (),
            {
                "MODELPIPELINE_REGISTRIES": "- {prefix: '10.88.0.1:5000', insecure: true}\n"
                "- prefix: docker.io\n  mirror: mirror.local/hub\n"
            },
            id="as YAML in the variable",
        ),
    ],
)
def test_registries_can_be_said_in_three_ways(flags: tuple[str, ...], environment: Mapping[str, str]) -> None:
    assert parse(*flags, environment=environment).registries == REGISTRIES
    assert parse(*flags, environment=environment).policy().registries == REGISTRIES


@pytest.mark.parametrize(
    ("flags", "environment"),
    [
        (("--proxy", "HTTPS_PROXY=http://proxy:3128", "--proxy", "NO_PROXY=a,b"), {}),
        ((), {"MODELPIPELINE_PROXY": '{"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "a,b"}'}),
    ],
    ids=["as repeated flags", "as JSON in the variable"],
)
def test_proxies_can_be_said_in_two_ways(flags: tuple[str, ...], environment: Mapping[str, str]) -> None:
    expected = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "a,b"}
    assert parse(*flags, environment=environment).policy().proxy == expected


@pytest.mark.parametrize(
    ("flags", "environment"),
    [
        pytest.param(
            (
                "--image-prefixes=registry.example/{namespace}, docker.io/seldonio/",
                "--resource-ceilings=memory=16Gi,cpu=4",
                "--storage-ceiling=100Gi",
                "--replicas-ceiling=3",
                "--refused-namespaces=kube-system",
            ),
            {},
            id="as flags",
        ),
        pytest.param(
            (),
            {
                "MODELPIPELINE_IMAGE_PREFIXES": "registry.example/{namespace},docker.io/seldonio/",
                "MODELPIPELINE_RESOURCE_CEILINGS": '{"cpu": 4, "memory": "16Gi"}',
                "MODELPIPELINE_STORAGE_CEILING": "100Gi",
                "MODELPIPELINE_REPLICAS_CEILING": "3",
                "MODELPIPELINE_REFUSED_NAMESPACES": "kube-system",
            },
            id="as the chart writes them",
        ),
    ],
)
def test_limits_reach_what_decides(flags: tuple[str, ...], environment: Mapping[str, str]) -> None:
    chosen = parse(*flags, environment=environment)
    assert chosen.policy().limits == Limits(
        image_prefixes=("registry.example/{namespace}", "docker.io/seldonio/"),
        resources=(("cpu", "4"), ("memory", "16Gi")),
        storage="100Gi",
        replicas=3,
        refused_namespaces=("kube-system",),
    )
    json.dumps(chosen.redacted())


def test_what_runs_the_cluster_is_refused_without_being_told() -> None:
    assert parse().policy().limits.refused_namespaces == ("kube-system", "kube-public", "kube-node-lease")
    assert not parse().policy().limits.any


@pytest.mark.parametrize(
    ("flags", "environment", "wrong"),
    [
        pytest.param(("--workers", "0"), {}, "--workers: '0' is no whole number from 1 to 64", id="too few workers"),
        pytest.param(
            ("--workers", "²"), {}, "--workers: '²' is no whole number from 1 to 64", id="not a digit of ours"
        ),
        pytest.param((), {"MODELPIPELINE_WORKERS": "x"}, "MODELPIPELINE_WORKERS: 'x' is no whole", id="a word"),
        pytest.param(("--namespaces", "Models"), {}, "'Models' is no name of a namespace", id="a bad namespace"),
        pytest.param(("--log-format", "xml"), {}, "'xml' is not one of auto, json, console", id="an unknown format"),
        pytest.param(("--strict-job-status", "yes"), {}, "'yes' is neither true nor false", id="yes is not true"),
        pytest.param(("--settle-seconds", "nan"), {}, "'nan' is no number of seconds", id="not a number"),
        pytest.param(("--registry", "prefix=a,insecur=true"), {}, "'insecur' is not one of prefix", id="a typo"),
        pytest.param(("--registry", "insecure=true"), {}, "prefix is missing", id="a registry without prefix"),
        pytest.param((), {"MODELPIPELINE_REGISTRIES": "[{"}, "neither YAML nor JSON", id="broken JSON"),
        pytest.param(("--image-prefixes", "seldonio"), {}, "'seldonio' is no registry", id="a prefix without registry"),
        pytest.param(("--image-prefixes", "a.b/x:1"), {}, "'a.b/x:1' is no registry", id="a prefix with a tag"),
        pytest.param(("--image-prefixes", "u:p@a.b/x"), {}, "is no registry", id="a prefix with a password"),
        pytest.param(("--resource-ceilings", "cpu=many"), {}, "cpu: 'many' is no quantity", id="no amount"),
        pytest.param(("--resource-ceilings", "memroy=1Gi"), {}, "'memroy' is no resource", id="a ceiling of nothing"),
        pytest.param(("--resource-ceilings", "=1Gi"), {}, "'' is no resource", id="a ceiling without a name"),
        pytest.param(("--resource-ceilings", "cpu=8,cpu=2"), {}, "names a resource twice", id="two ceilings of one"),
        pytest.param((), {"MODELPIPELINE_RESOURCE_CEILINGS": "[1]"}, "is no resource", id="a list of amounts"),
        pytest.param(("--storage-ceiling", "10GiB"), {}, "'10GiB' is no quantity", id="a unit that is none"),
        pytest.param(("--replicas-ceiling", "-1"), {}, "'-1' is no whole number", id="fewer than none"),
        pytest.param(("--proxy", "FTP_PROXY=x"), {}, "'FTP_PROXY' is not one of HTTP_PROXY", id="an unknown proxy"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(
    flags: tuple[str, ...], environment: Mapping[str, str], wrong: str
) -> None:
    with pytest.raises(settings.Invalid) as caught:
        parse(*flags, environment=environment)
    assert wrong in caught.value.message
    assert caught.value.message.endswith("see: modelpipeline run --help")
    assert "\n" not in caught.value.message


def test_no_password_is_printed() -> None:
    chosen = parse(
        "--proxy",
        "HTTPS_PROXY=http://user:topsecret@proxy:3128",
        "--registry",
        "prefix=docker.io,mirror=user:topsecret@mirror.local/hub",
    )
    shown = json.dumps(chosen.redacted())
    assert "topsecret" not in shown
    assert "http://***@proxy:3128" in shown
    assert "***@mirror.local/hub" in shown


def test_what_is_printed_is_every_setting() -> None:
    assert len(settings.Settings().redacted()) == len(settings.Settings.__dataclass_fields__)


def test_the_page_of_settings_is_up_to_date() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert page == settings.document(), "write it again: make generate"
