"""Where the API server is and who we are to it: one source for our own client and for the watches of edge/.

Here: kubeconfig, in-cluster account, tokens that are renewed, TLS. Elsewhere: requests (client.py).
"""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path
from typing import Any
from urllib import request
from urllib.parse import urlsplit

from kubernetes.aio import client as aio_client
from kubernetes.aio import config as aio_config
from kubernetes.aio.client import rest

from modelpipeline import errors


class Connection:
    """The credentials in use; `load` reads them, `reload` reads them again after a 401."""

    def __init__(self, kubeconfig: str = "", context: str = "") -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._configuration: Any = None

    async def load(self) -> None:
        """Read the credentials: the kubeconfig that was given, else the pod's own account, else the default file."""
        configuration = aio_client.Configuration()
        try:
            await self._fill(configuration)
        except (aio_config.ConfigException, OSError) as error:
            raise self._unusable(str(error)) from error
        except Exception as error:
            raise self._unusable("it is not a kubeconfig") from error
        configuration.proxy = configuration.proxy or _environment_proxy(configuration.host)
        self._configuration = configuration

    def _unusable(self, why: str) -> errors.Stalled:
        what = self._kubeconfig or "the default kubeconfig"
        message = f"cannot read the credentials of the API server from {what}: {why}; name a file: --kubeconfig FILE"
        return errors.Stalled("NoCredentials", message)

    async def reload(self) -> None:
        """Read the credentials again: a rotated certificate, token file or plug-in answer is picked up."""
        await self.load()

    @property
    def configuration(self) -> Any:
        """Return the client library's configuration."""
        return self._configuration

    @property
    def server(self) -> str:
        """Return the API server's URL."""
        return str(self._configuration.host)

    @property
    def proxy(self) -> str | None:
        """Return the proxy of the kubeconfig or of the environment."""
        return str(self._configuration.proxy) if self._configuration.proxy else None

    def tls(self) -> ssl.SSLContext:
        """Return a TLS context with the authority and the client certificate."""
        context: ssl.SSLContext = rest.RESTClientObject(self._configuration).ssl_context
        return context

    async def authorization(self) -> str:
        """Return the Authorization header of this moment, empty where a certificate speaks for us."""
        setting = (await self._configuration.auth_settings()).get("BearerToken") or {}
        return str(setting.get("value") or "")

    async def _fill(self, configuration: Any) -> None:
        if not self._kubeconfig:
            try:
                aio_config.load_incluster_config(client_configuration=configuration)
            except aio_config.ConfigException:
                pass
            else:
                return
        files = self._kubeconfig or aio_config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION
        _must_exist(files)
        loader = await aio_config.load_kube_config(
            config_file=files,
            context=self._context or None,
            client_configuration=configuration,
            persist_config=False,
        )
        if hasattr(loader, "exec_plugin_expiry"):
            configuration.refresh_api_key_hook = _plugin_refresh(loader)


def _environment_proxy(server: str) -> str | None:
    """Return what HTTPS_PROXY and NO_PROXY say of the server, read once.

    aiohttp would read them, and a .netrc file, for every request anew, in another thread.
    """
    parts = urlsplit(server)
    if request.proxy_bypass(f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)):
        return None
    return request.getproxies().get(parts.scheme)


def _must_exist(files: str) -> None:
    """Raise for a list of files of which there is none: the library warns, and fails on what it does not hold."""
    if not any(Path(part).expanduser().exists() for part in files.split(os.pathsep) if part):
        raise FileNotFoundError("there is no such file")


def _plugin_refresh(loader: Any) -> Any:
    lock = asyncio.Lock()

    async def refresh(configuration: Any) -> None:
        # The loader asks the plug-in again only when its last answer is about to expire.
        async with lock:
            await loader.load_from_exec_plugin()
        if token := getattr(loader, "token", ""):
            configuration.api_key["BearerToken"] = token

    return refresh
