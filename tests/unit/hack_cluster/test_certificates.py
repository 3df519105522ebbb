"""Certificates say who somebody is, are signed by the cluster's authority, and are nobody else's to read."""

from __future__ import annotations

import stat
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hack.cluster import certificates


def load(pair: certificates.Pair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def test_a_client_is_its_user_and_groups(tmp_path: Path) -> None:
    authority = certificates.authority(tmp_path)
    made = load(certificates.client(tmp_path, authority, "one", "system:node:node", ("system:nodes", "more")))
    made.verify_directly_issued_by(load(authority))
    assert [each.value for each in made.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["system:node:node"]
    groups = made.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [each.value for each in groups] == ["system:nodes", "more"]


def test_a_server_is_known_by_names_and_addresses(tmp_path: Path) -> None:
    authority = certificates.authority(tmp_path)
    made = load(certificates.server(tmp_path, authority, "one", ["localhost", "127.0.0.1"]))
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    authority = certificates.authority(tmp_path / "pki")
    certificates.key_pair(tmp_path / "pki", "tokens")
    certificates.client(tmp_path / "pki", authority, "one", "user")
    for path in (tmp_path / "pki").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def test_public_keys_of_two_authorities_differ(tmp_path: Path) -> None:
    keys = [load(certificates.authority(tmp_path / name)).public_key() for name in ("one", "two")]
    one, two = (key.public_numbers() for key in keys if isinstance(key, ec.EllipticCurvePublicKey))
    assert one != two
