"""The question goes to the address that the status names, and only a whole answer counts as one."""

import pytest

from hack.demo import ask, digits, faults

TWO = tuple(digits.Digit(label, (label,) * 64) for label in (3, 4))


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        (
            "http://digits-default.models.svc.cluster.local:8000/api/v1.0/predictions",
            "/api/v1/namespaces/models/services/http:digits-default:8000/proxy/api/v1.0/predictions",
        ),
        (
            "http://digits-default.models:9000/api/v1.0/predictions",
            "/api/v1/namespaces/models/services/http:digits-default:9000/proxy/api/v1.0/predictions",
        ),
    ],
    ids=["with executor", "without executor"],
)
def test_the_address_becomes_a_path_of_the_api_server(url: str, proxy: str) -> None:
    assert ask.address(url).proxy == proxy


@pytest.mark.parametrize("url", ["", "http://localhost:8000/", "http://model.example.com/predict"])
def test_an_address_outside_of_the_cluster_is_refused(url: str) -> None:
    with pytest.raises(faults.DemoError, match=r"status\.serving\.url"):
        ask.address(url)


def test_digits_are_asked_about_in_seldons_form() -> None:
    assert ask.payload(TWO) == {"data": {"ndarray": [[3] * 64, [4] * 64]}}


def test_the_likeliest_class_is_what_the_server_says() -> None:
    answer = ask.understand({"data": {"names": ["3", "4"], "ndarray": [[0.9, 0.1], [0.2, 0.8]]}}, 2)
    assert [answer.says(0), answer.says(1)] == ["3", "4"]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"status": {"code": -1, "info": "no model", "status": 1}},
        {"data": {"names": ["3", "4"], "ndarray": [[0.9, 0.1]]}},
        {"data": {"names": ["3"], "ndarray": [[0.9, 0.1], [0.2, 0.8]]}},
        {"data": {"names": [], "ndarray": [[], []]}},
    ],
    ids=["nothing", "an error", "too few rows", "unnamed columns", "no columns"],
)
def test_half_an_answer_is_none(document: dict[str, object]) -> None:
    with pytest.raises(faults.DemoError, match="not 2 rows"):
        ask.understand(document, 2)
