"""The runtime image: Python and what it links to, unpacked from Debian packages; no shell, no package manager.

Here: which packages, and what their scripts would have done that counts. It stands for the distroless image of the
Dockerfile's RUNTIME where no hub is reached. Elsewhere: the base image that packages are installed with (base.py).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hack.images import base, buildah

NAME = "modelpipeline/runtime-python:1"

# Each by name: dependencies would bring debconf, perl, dpkg and a shell. Left out of what Debian's Python asks for is
# what nothing here imports: readline, curses, dbm, nis and sqlite.
PACKAGES = (
    "base-files",
    "ca-certificates",
    "libbz2-1.0",
    "libc6",
    "libcrypt1",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libssl3",
    "libstdc++6",
    "libuuid1",
    "netbase",
    "python3.11-minimal",
    "tzdata",
    "zlib1g",
)
# What mmdebstrap would clean up is gone with apt's folders already; device nodes are the container engine's affair.
_OPTIONS = ("--variant=custom", "--skip=cleanup/apt,cleanup/mmdebstrap,output/dev")
_PATH = "/usr/local/bin:/usr/bin:/bin"
_HOOKS = (
    'for folder in bin sbin lib lib64; do mkdir -p "$1/usr/$folder" && ln -sfn "usr/$folder" "$1/$folder"; done',
    # The packages keep their own record, a file each, as scanners know it from distroless images.
    'mkdir -p "$1/var/lib/dpkg/status.d" "$1/debs" && cd "$1/debs"'
    f' && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -qq download {" ".join(PACKAGES)}'
    " && for deb in *.deb; do"
    ' name="$(dpkg-deb --field "$deb" Package)"'
    ' && dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$1"'
    ' && dpkg-deb --field "$deb" >"$1/var/lib/dpkg/status.d/$name" || exit 1; done',
    # What install scripts do elsewhere: the bundle of authorities, the name python3, two users, where names come from.
    'mkdir -p "$1/etc/ssl/certs" "$1/usr/lib/ssl"'
    ' && cat "$1"/usr/share/ca-certificates/mozilla/*.crt >"$1/etc/ssl/certs/ca-certificates.crt"'
    ' && ln -sfn /etc/ssl/certs "$1/usr/lib/ssl/certs"'
    ' && ln -sfn /etc/ssl/certs/ca-certificates.crt "$1/usr/lib/ssl/cert.pem"'
    ' && ln -sfn python3.11 "$1/usr/bin/python3"',
    'echo "root:x:0:0:root:/root:/sbin/nologin" >"$1/etc/passwd"'
    ' && echo "nonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin" >>"$1/etc/passwd"'
    ' && printf "root:x:0:\\nnonroot:x:65532:\\n" >"$1/etc/group"'
    ' && printf "passwd: files\\ngroup: files\\nhosts: files dns\\n" >"$1/etc/nsswitch.conf"',
    # What mmdebstrap and apt leave, what nobody reads, and the second folder that everybody may write to.
    'rm -rf "$1/debs" "$1/etc/apt" "$1/etc/update-motd.d" "$1/usr/lib"/*/gconv "$1/usr/sbin"/* "$1/var/cache"'
    ' "$1/var/lib/apt" "$1/var/local" "$1/var/lock" "$1/var/log" "$1/var/tmp"'
    ' && for folder in bug doc-base lintian man; do rm -rf "$1/usr/share/$folder"; done',
    'cd "$1/etc" && for file in hosts hostname resolv.conf machine-id; do : >"$file" && chmod 0644 "$file"; done',
    'find "$1/usr/share/doc" -type f ! -name copyright -delete',
)


def recipe() -> str:
    """Return everything that decides what is in the image."""
    return "\n".join([base.SUITE, _PATH, *_OPTIONS, *_HOOKS])


def build(target: Path) -> None:
    """Make the image and write it in OCI layout."""
    with tempfile.TemporaryDirectory(prefix="modelpipeline-") as folder:
        archive = Path(folder) / "root.tar"
        base.bootstrap(archive, _OPTIONS, _HOOKS)
        container = buildah.run("from", "scratch")
        buildah.run("add", "--quiet", container, str(archive), "/")
        settings = [
            f"--env=PATH={_PATH}",
            "--env=LANG=C.UTF-8",
            "--env=SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
        ]
        buildah.run("config", *settings, "--user=65532:65532", "--workingdir=/", "--cmd=python3", container)
        image = buildah.run("commit", "--quiet", "--rm", "--timestamp=0", container)
    buildah.keep(image, target)
