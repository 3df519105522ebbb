"""The git server's certificate, signed by an authority of the demo's own.

Private on purpose: most git servers inside companies are signed by a CA that no image knows, so the demo goes that way.
How a certificate is made is the cluster's affair (hack/cluster/certificates.py); here is when.
"""

import datetime
import ipaddress
import pathlib
from dataclasses import dataclass

from cryptography import x509

from hack.cluster import certificates

RENEW_BEFORE = datetime.timedelta(days=7)


@dataclass(frozen=True)
class Files:
    """Where the three files are that the git server and its clients need."""

    ca: pathlib.Path
    certificate: pathlib.Path
    key: pathlib.Path


def ensure(folder: pathlib.Path, address: str, now: datetime.datetime) -> Files:
    """Return certificates for this address, made anew when there are none, or other ones, or they end soon."""
    files = Files(folder / "ca.crt", folder / "git.crt", folder / "git.key")
    if not _usable(files, address, now):
        authority = certificates.authority(folder)
        certificates.server(folder, authority, "git", [address])
    return files


def _usable(files: Files, address: str, now: datetime.datetime) -> bool:
    if not (files.ca.is_file() and files.certificate.is_file() and files.key.is_file()):
        return False
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    known = names.get_values_for_type(x509.IPAddress)
    return ipaddress.ip_address(address) in known and now + RENEW_BEFORE < certificate.not_valid_after_utc
