"""The applied file holds the cluster's addresses and nothing of example.*, and a user's edits survive."""

import pathlib

import yaml

from hack.demo import manifest

EXAMPLE = pathlib.Path(__file__).parents[3] / "examples" / "digits" / "pipeline.yaml"
TRAINER = "10.9.0.1:5000/digits-train@sha256:12"
PLACES = manifest.Places("10.9.0.1:5000", "https://10.9.0.1:8443/digits.git", {"digits-train:1": TRAINER})


def test_all_addresses_are_filled_in(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "digits.yaml"
    assert not manifest.ensure(EXAMPLE, file, PLACES, "models")
    spec = yaml.safe_load(file.read_text())["spec"]
    assert spec["train"]["image"] == TRAINER
    assert spec["build"][0]["builderImage"] == "10.9.0.1:5000/digits-builder:1"
    assert spec["build"][0]["image"] == "10.9.0.1:5000/digits"
    assert spec["build"][0]["source"]["git"]["url"] == PLACES.git_url
    assert "example/" not in yaml.safe_dump(spec)
    assert spec["deploy"] == yaml.safe_load(EXAMPLE.read_text())["spec"]["deploy"], "the rest is the example's"


def test_an_untouched_file_follows_the_cluster(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "digits.yaml"
    manifest.ensure(EXAMPLE, file, PLACES, "models")
    assert not manifest.ensure(EXAMPLE, file, manifest.Places("10.9.0.2:5000", PLACES.git_url, {}), "models")
    assert "10.9.0.2:5000" in file.read_text()


def test_an_edited_file_is_kept(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "digits.yaml"
    manifest.ensure(EXAMPLE, file, PLACES, "models")
    file.write_text(file.read_text().replace("'30'", "'1'"))
    assert manifest.ensure(EXAMPLE, file, PLACES, "models")
    assert yaml.safe_load(file.read_text())["spec"]["parameters"] == {"epochs": "1"}


def test_edits_for_another_cluster_are_put_aside(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "digits.yaml"
    manifest.ensure(EXAMPLE, file, PLACES, "models")
    edited = file.read_text().replace("'30'", "'1'")
    file.write_text(edited)
    assert not manifest.ensure(EXAMPLE, file, manifest.Places("10.9.0.2:5000", PLACES.git_url, {}), "models")
    assert "10.9.0.2:5000" in file.read_text()
    assert (tmp_path / "digits.old.yaml").read_text() == edited
