"""The operator's settings: one frozen value, parsed once from flags and environment.

Here: every setting with its one line of documentation, its flag and its variable; docs/settings.md is made of them.
Elsewhere: what they mean. Only __main__.py reads this; the other rooms are given plain values. A flag wins over its
variable. Nothing here holds a secret, but a proxy's or mirror's URL may carry a user and a password, so settings are
printed redacted.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from modelpipeline import errors
from modelpipeline.api import tenancy
from modelpipeline.stages.policy import Limits, Policy, Registry

PREFIX = "MODELPIPELINE_"
_USERINFO = re.compile(r"(?P<before>^|//)[^/@\s]+@")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


class Invalid(errors.Stalled):
    """A setting that cannot be used."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__("InvalidSettings", f"{where}: {what}; see: modelpipeline run --help")


def _setting(default: Any, text: str, read: Callable[[str, str], Any], *, flag: str = "", many: bool = False) -> Any:
    return dataclasses.field(default=default, metadata={"text": text, "read": read, "flag": flag, "many": many})


def _text(_where: str, given: str) -> str:
    return given


def _names(where: str, given: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part.strip() for part in given.split(",") if part.strip()))
    for name in found:
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name):
            raise Invalid(where, f"{name!r} is no name of a namespace; for example models,team-a")
    return found


def _whole(least: int, most: int) -> Callable[[str, str], int]:
    def read(where: str, given: str) -> int:
        if not given.isascii() or not given.isdigit() or not least <= int(given) <= most:
            raise Invalid(where, f"{given!r} is no whole number from {least} to {most}")
        return int(given)

    return read


def _seconds(where: str, given: str) -> float:
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise Invalid(where, f"{given!r} is no number of seconds from 0 to 3600")
    return seconds


def _switch(where: str, given: str) -> bool:
    if given.lower() not in ("true", "false"):
        raise Invalid(where, f"{given!r} is neither true nor false")
    return given.lower() == "true"


def _one_of(*allowed: str) -> Callable[[str, str], str]:
    def read(where: str, given: str) -> str:
        if given.lower() not in allowed:
            raise Invalid(where, f"{given!r} is not one of {', '.join(allowed)}")
        return given.lower()

    return read


def _registries(where: str, given: str) -> tuple[Registry, ...]:
    """Read `prefix=...,insecure=true,mirror=...`, or a YAML or JSON list of such mappings."""
    if given.lstrip().startswith(("[", "-")):
        entries = _yaml(where, given)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise Invalid(where, 'wanted a list such as [{"prefix": "registry.local:5000", "insecure": true}]')
        return tuple(_registry(where, entry) for entry in entries)
    pairs = [part.partition("=") for part in given.split(",") if part.strip()]
    return (_registry(where, {name.strip(): value.strip() for name, _, value in pairs}),) if pairs else ()


def _registry(where: str, entry: Mapping[str, Any]) -> Registry:
    if unknown := set(entry) - {"prefix", "insecure", "mirror"}:
        raise Invalid(where, f"{sorted(unknown)[0]!r} is not one of prefix, insecure, mirror")
    if not entry.get("prefix"):
        raise Invalid(where, "prefix is missing; for example prefix=registry.local:5000,insecure=true")
    insecure = _switch(where, str(entry.get("insecure", "false")))
    return Registry(str(entry["prefix"]), insecure, str(entry.get("mirror") or ""))


def _proxy(where: str, given: str) -> tuple[tuple[str, str], ...]:
    """Read `HTTPS_PROXY=http://...`, or a YAML or JSON mapping of such variables."""
    if given.lstrip().startswith("{"):
        entries = _yaml(where, given)
        pairs = {str(name): str(value) for name, value in entries.items()} if isinstance(entries, dict) else {}
    else:
        name, _, value = given.partition("=")
        pairs = {name.strip(): value.strip()}
    for name in pairs:
        if name not in _PROXIES:
            raise Invalid(where, f"{name!r} is not one of {', '.join(_PROXIES)}")
    return tuple(sorted(pairs.items()))


def _prefixes(where: str, given: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part.strip() for part in given.split(",") if part.strip()))
    for prefix in found:
        plain = prefix.replace(tenancy.NAMESPACE, "x").removesuffix("/")
        form = f"{tenancy.HOST_FORM}(/{tenancy.PATH_FORM})?"
        if not re.fullmatch(form, plain) or not re.match(tenancy.HOST_FIRST, f"{plain}/"):
            raise Invalid(
                where, f"{prefix!r} is no registry or path of one; for example registry.example/{{namespace}}"
            )
    return found


def _ceilings(where: str, given: str) -> tuple[tuple[str, str], ...]:
    """Read `memory=16Gi,cpu=4`, or a YAML or JSON mapping of such amounts."""
    if given.lstrip().startswith("{"):
        entries = _yaml(where, given)
        pairs = {str(name): str(value) for name, value in entries.items()} if isinstance(entries, dict) else {}
    else:
        parts = [part.partition("=") for part in given.split(",") if part.strip()]
        pairs = {name.strip(): value.strip() for name, _, value in parts}
        if len(pairs) < len(parts):
            raise Invalid(where, f"{given!r} names a resource twice")
    return tuple(
        sorted((_resource(where, name), _quantity(f"{where}: {name}", value)) for name, value in pairs.items())
    )


def _resource(where: str, given: str) -> str:
    """Refuse a name that no container can ask for: a ceiling of memroy would bound nothing."""
    if not re.fullmatch(tenancy.RESOURCE_FORM, given):
        raise Invalid(where, f"{given!r} is no resource; for example cpu, memory, ephemeral-storage or nvidia.com/gpu")
    return given


def _quantity(where: str, given: str) -> str:
    if not re.fullmatch(tenancy.QUANTITY_FORM, given):
        raise Invalid(where, f"{given!r} is no quantity; for example 16Gi, 4 or 500m")
    return given


def _yaml(where: str, given: str) -> Any:
    try:
        return yaml.safe_load(given)
    except yaml.YAMLError as error:
        raise Invalid(where, "it is neither YAML nor JSON") from error


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, parsed."""

    kubeconfig: str = _setting(
        "", "File with the credentials; empty: the pod's own account, else ~/.kube/config.", _text
    )
    context: str = _setting("", "Context of the kubeconfig; empty: its current one.", _text)
    namespaces: tuple[str, ...] = _setting(
        (), "Namespaces to watch, comma-separated; empty: all. With a list no right beyond them is needed.", _names
    )
    build_image: str = _setting("modelpipeline/build:dev", "Image that fetches sources and pushes layers.", _text)
    registries: tuple[Registry, ...] = _setting(
        (),
        "How images of a prefix are reached: prefix=HOST[/PATH],insecure=true,mirror=HOST. Repeatable; as a variable "
        "also a YAML or JSON list.",
        _registries,
        flag="registry",
        many=True,
    )
    proxy: tuple[tuple[str, str], ...] = _setting(
        (),
        "Proxy of build pods: HTTPS_PROXY=URL, HTTP_PROXY=URL or NO_PROXY=LIST. Repeatable; as a variable also a YAML "
        "or JSON mapping. assemble, where the user's code runs, is given them too: put no password into them.",
        _proxy,
        many=True,
    )
    strict_job_status: bool = _setting(
        False, "Wait for a Job's own Complete condition instead of its container's exit code (some 2 s later).", _switch
    )
    settle_seconds: float = _setting(2.0, "How long a roll-out must look complete before it is believed.", _seconds)
    resync_seconds: int = _setting(
        20,
        "Seconds between comparisons with the API server while a pipeline is at work (every 10 min else).",
        _whole(1, 600),
    )
    image_prefixes: tuple[str, ...] = _setting(
        (),
        "Registries or paths below which images must be, comma-separated; {namespace} stands for the pipeline's own. "
        "Empty: any image.",
        _prefixes,
    )
    resource_ceilings: tuple[tuple[str, str], ...] = _setting(
        (),
        "Most that one container may ask for: cpu=8,memory=32Gi; as a variable also a YAML or JSON mapping. Empty: any "
        "amount.",
        _ceilings,
    )
    storage_ceiling: str = _setting("", "Highest storage.size and workspaceSize. Empty: any size.", _quantity)
    replicas_ceiling: int = _setting(0, "Highest number of servers of one pipeline; 0: any.", _whole(0, 1000))
    refused_namespaces: tuple[str, ...] = _setting(
        tenancy.REFUSED_NAMESPACES,
        "Namespaces in which nothing is started, comma-separated. The chart adds the operator's own.",
        _names,
    )
    workers: int = _setting(8, "Pipelines looked at side by side.", _whole(1, 64))
    health_address: str = _setting("0.0.0.0", "Address of /healthz, /readyz and /metrics.", _text)  # noqa: S104 - the kubelet asks from outside the pod
    health_port: int = _setting(8080, "Port of the same; 0 takes a free one, which is logged.", _whole(0, 65535))
    log_format: str = _setting(
        "auto", "auto, json or console; auto is console on a terminal.", _one_of("auto", "json", "console")
    )
    log_level: str = _setting("info", "debug, info, warning or error.", _one_of("debug", "info", "warning", "error"))

    def policy(self) -> Policy:
        """Return what decisions depend on."""
        return Policy(
            build_image=self.build_image,
            registries=self.registries,
            proxy=dict(self.proxy),
            strict_job_status=self.strict_job_status,
            settle_seconds=self.settle_seconds,
            resync_seconds=self.resync_seconds,
            limits=Limits(
                image_prefixes=self.image_prefixes,
                resources=self.resource_ceilings,
                storage=self.storage_ceiling,
                replicas=self.replicas_ceiling,
                refused_namespaces=self.refused_namespaces,
            ),
        )

    def redacted(self) -> dict[str, Any]:
        """Return all settings as they may be printed: without user and password in URLs."""
        shown = dataclasses.asdict(self)
        shown["registries"] = [
            {name: redact(value) if isinstance(value, str) else value for name, value in entry.items()}
            for entry in shown["registries"]
        ]
        shown["proxy"] = {name: redact(value) for name, value in self.proxy}
        return {_camel(name): list(value) if isinstance(value, tuple) else value for name, value in shown.items()}


def redact(url: str) -> str:
    """Return a URL or host without its user and password."""
    return _USERINFO.sub(r"\g<before>***@", url)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give a parser one flag a setting."""
    for field in dataclasses.fields(Settings):
        shown = f" ({variable(field)}; default: {_default(field)})"
        parser.add_argument(
            f"--{flag(field)}",
            dest=field.name,
            action="append" if field.metadata["many"] else "store",
            metavar=flag(field).rsplit("-", 1)[-1].upper(),
            help=(field.metadata["text"] + shown).replace("%", "%%"),
        )


def parse(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    """Return the settings of flags and environment; raise Invalid for one that cannot be used."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        given = getattr(arguments, field.name, None)
        read = field.metadata["read"]
        if given is not None:
            parts = given if isinstance(given, list) else [given]
            found = [read(f"--{flag(field)}", part) for part in parts]
            values[field.name] = sum(found, ()) if field.metadata["many"] else found[-1]
        elif environment.get(variable(field)):
            values[field.name] = read(variable(field), environment[variable(field)])
    return Settings(**values)


def flag(field: dataclasses.Field[Any]) -> str:
    """Return the name of a setting's flag, without the dashes."""
    return str(field.metadata["flag"] or field.name.replace("_", "-"))


def variable(field: dataclasses.Field[Any]) -> str:
    """Return the name of a setting's environment variable."""
    return f"{PREFIX}{field.name.upper()}"


def document() -> str:
    """Return docs/settings.md."""
    rows = [
        f"| `--{flag(field)}` | `{variable(field)}` | {_default(field)} | {field.metadata['text']} |"
        for field in dataclasses.fields(Settings)
    ]
    return "\n".join(
        [
            "# Settings of the operator",
            "",
            "Each setting is a flag of `modelpipeline run` and an environment variable; the flag wins. They are read",
            "once and logged at start, without user and password in URLs. This page is generated from",
            "`operator/modelpipeline/settings.py`.",
            "",
            "| flag | variable | default | meaning |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _default(field: dataclasses.Field[Any]) -> str:
    if isinstance(field.default, bool):
        return str(field.default).lower()
    if isinstance(field.default, tuple):
        return ",".join(field.default) or "empty"
    return str(field.default) if field.default != "" else "empty"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
