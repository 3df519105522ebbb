"""Where the source of a build comes from: a git repository or a ConfigMap.

Here: the models; patterns keep out what a shell or git would take for an option or a second address. Elsewhere: the
build itself (spec.py), how a source is fetched (step/).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modelpipeline.api import fields
from modelpipeline.api.fields import Model, Rule, validated


class GitSource(Model):
    """A git repository."""

    model_config = validated(
        Rule(
            "self.url.startsWith('https://') || self.url.startsWith('ssh://')",
            "git.url must start with https:// or ssh://, without a password in it (that goes into secretName), for "
            "example https://git.example/digits.git or ssh://git@git.example/digits.git",
            ".url",
        ),
        Rule(
            "!has(self.ref) || !self.ref.contains('..')",
            "git.ref must be a branch, a tag or a full commit: no '..', for example main",
            ".ref",
        ),
    )

    url: Annotated[
        str,
        Field(
            min_length=9,
            max_length=1024,
            pattern=r'^(https://[A-Za-z0-9\[][!-"$->A-~]*|ssh://([A-Za-z0-9._-]+@)?[A-Za-z0-9._-]+(:[0-9]+)?/[!-"$->@-~]+)$',
        ),
    ] = Field(
        description="url of the repository, https or ssh, without credentials. Example: https://git.example/d.git."
    )
    ref: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9_][-._/+#=A-Za-z0-9]*$")] | None = (
        Field(
            default=None,
            description="ref is a branch, a tag or a full commit. Default: the repository's default branch. "
            "Example: main.",
        )
    )
    secret_name: fields.ObjectName | None = Field(
        default=None,
        description="secretName of a kubernetes.io/basic-auth or kubernetes.io/ssh-auth Secret (with known_hosts). "
        "Default: none, the repository is public. Example: git-credentials.",
    )


class ConfigMapSource(Model):
    """Source files from a ConfigMap: each key is a file."""

    name: fields.ObjectName = Field(description="name of the ConfigMap. Example: digits-source.")


class Source(Model):
    """Where the source of a build comes from."""

    model_config = validated(
        Rule(
            "has(self.git) != has(self.configMap)",
            "source needs exactly one of git and configMap, for example "
            "source: {git: {url: https://git.example/digits.git}, path: serve}",
        ),
        Rule(
            "!has(self.path) || !self.path.split('/').exists(p, p == '..')",
            "source.path must stay inside the source: no '..', for example path: serve",
            ".path",
        ),
    )

    git: GitSource | None = Field(default=None, description="git clones a repository.")
    config_map: ConfigMapSource | None = Field(default=None, description="configMap takes each key as a file.")
    path: fields.RelativePath | None = Field(
        default=None,
        description="path of the directory to build, inside the source. Default: its root. Example: serve.",
    )
