"""What a builder promises and asks for: labels, users, environment."""

from __future__ import annotations

from typing import Any

import pytest

from modelpipeline import errors
from modelpipeline.step import contract, reasons

IMAGE = "registry.example/builder:1"
S2I = "io.openshift.s2i."


def config(user: str = "1001", env: tuple[str, ...] = (), **labels: Any) -> dict[str, Any]:
    return {"config": {"User": user, "Env": list(env), "Labels": {S2I + key: value for key, value in labels.items()}}}


@pytest.mark.parametrize(
    ("labels", "scripts"),
    [
        ({"scripts-url": "image:///s2i/bin"}, ("/s2i/bin",)),
        ({"scripts-url": "image:///usr/libexec/s2i/"}, ("/usr/libexec/s2i",)),
        ({}, contract.FALLBACK_SCRIPTS),
    ],
)
def test_scripts_come_from_the_label_or_from_the_usual_places(labels: dict[str, Any], scripts: tuple[str, ...]) -> None:
    assert contract.read(IMAGE, config(**labels)).scripts == scripts


@pytest.mark.parametrize(
    "url",
    [
        "http://scripts.example/",
        "file:///s2i",
        "image://s2i/bin",
        "image:///s2i/$(id)",
        "image:///a b",
        "image:///../etc",
        "image:///s2i'; id",
    ],
)
def test_scripts_that_are_no_plain_path_in_the_image_are_refused(url: str) -> None:
    with pytest.raises(errors.Stalled) as caught:
        contract.read(IMAGE, config(**dict[str, Any]({"scripts-url": url})))
    assert caught.value.reason == reasons.NOT_A_BUILDER


def test_the_destination_is_the_labels_or_tmp() -> None:
    assert contract.read(IMAGE, config()).destination == "/tmp"
    assert contract.read(IMAGE, config(destination="/opt/app-root/")).destination == "/opt/app-root"
    with pytest.raises(errors.Stalled):
        contract.read(IMAGE, config(destination="/tmp/$HOME"))


@pytest.mark.parametrize(
    ("user", "label", "asked", "stops"),
    [
        pytest.param("8888", "", None, False, id="the image's own user"),
        pytest.param("8888:0", "8888", None, False, id="the label names the image's own user"),
        pytest.param("1001", "0", None, True, id="root is never silent"),
        pytest.param("1001", "0", 0, False, id="root said aloud"),
        pytest.param("", "", None, True, id="an image without USER is root"),
        pytest.param("root", "", None, True, id="an image of root"),
        pytest.param("0", "0", 0, False, id="an image of root, said aloud"),
        pytest.param("default", "", None, True, id="a name is no number"),
        pytest.param("default", "1001", None, True, id="a label's number for a name must be said"),
        pytest.param("default", "1001", 1001, False, id="said"),
        pytest.param("8888", "1001", None, True, id="another user than the image's"),
    ],
)
def test_as_whom_assemble_runs_is_plain_or_the_build_stops(
    user: str, label: str, asked: int | None, stops: bool
) -> None:
    labels: dict[str, Any] = {"assemble-user": label} if label else {}
    builder = contract.read(IMAGE, config(user=user, **labels))
    if not stops:
        contract.check_assemble_user(IMAGE, builder, asked)
        return
    with pytest.raises(errors.Stalled) as caught:
        contract.check_assemble_user(IMAGE, builder, asked)
    assert caught.value.reason == reasons.ASSEMBLE_USER_NEEDED
    assert "add assembleUser:" in caught.value.message


@pytest.mark.parametrize(
    ("image", "required"),
    [
        ("seldonio/seldon-core-s2i-python38:1.17.1", ("MODEL_NAME", "SERVICE_TYPE", "PERSISTENCE")),
        ("seldonio/seldon-core-s2i-python3:1.4.0", ("MODEL_NAME", "SERVICE_TYPE", "PERSISTENCE", "API_TYPE")),
        ("seldonio/seldon-core-s2i-python3:0.18", ("MODEL_NAME", "SERVICE_TYPE", "PERSISTENCE", "API_TYPE")),
        ("registry.example:5000/seldon-core-s2i-python3", ("MODEL_NAME", "SERVICE_TYPE", "PERSISTENCE")),
        ("registry.example/python-builder:1", ()),
    ],
)
def test_a_seldon_builder_is_known_by_its_name(image: str, required: tuple[str, ...]) -> None:
    assert contract.read(image, config()).required == required


def test_a_label_says_which_keys_a_builder_wants() -> None:
    inner = {"config": {"User": "1", "Labels": {"modelpipeline.dev/required-env": "MODEL_NAME, KIND"}}}
    assert contract.read("seldonio/seldon-core-s2i-python3:1.4", inner).required == ("MODEL_NAME", "KIND")


def test_missing_keys_are_named_with_the_line_to_add() -> None:
    builder = contract.read("seldonio/seldon-core-s2i-python38:1.17.1", config())
    with pytest.raises(errors.Stalled) as caught:
        contract.merge_environment(builder, {"MODEL_NAME": "Digits"}, {"PERSISTENCE": ""})
    assert caught.value.reason == reasons.MISSING_S2I_ENVIRONMENT
    assert "SERVICE_TYPE, PERSISTENCE" in caught.value.message
    assert "MODEL_NAME" not in caught.value.message


def test_env_wins_over_the_file_and_the_builders_own_env_counts() -> None:
    builder = contract.read("seldonio/seldon-core-s2i-python38:1.17.1", config(env=("PERSISTENCE=0", "PATH=/bin")))
    file = {"MODEL_NAME": "FromFile", "SERVICE_TYPE": "MODEL"}
    assert contract.merge_environment(builder, file, {"MODEL_NAME": "FromEnv"}) == {
        "MODEL_NAME": "FromEnv",
        "SERVICE_TYPE": "MODEL",
    }


def test_the_environment_file_is_read_as_s2i_reads_it() -> None:
    text = b'# comment\n\nMODEL_NAME = Digits \nURL=http://h/?a=b=c\nno equals sign\nQUOTED="kept"\r\nEMPTY=\n'
    assert contract.parse_environment(text) == {
        "MODEL_NAME": "Digits",
        "URL": "http://h/?a=b=c",
        "QUOTED": '"kept"',
        "EMPTY": "",
    }


@pytest.mark.parametrize("line", [b"A B=1", b"=1", b"A;id=1", b"A=\x00", b"A=\x1b[31m", b"A=\xff\xfe"])
def test_an_odd_line_of_the_environment_file_is_refused_by_its_number(line: bytes) -> None:
    with pytest.raises(errors.Stalled, match="line 2"):
        contract.parse_environment(b"OK=1\n" + line + b"\n")
