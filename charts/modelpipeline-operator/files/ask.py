"""What `helm test` asks: is the operator ready, and would the API server take a pipeline? Nothing is made."""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request

ACCOUNT = os.environ.get("ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount")
PATIENCE = 60
# Neither the operator nor the API server is behind a proxy.
DIRECT = urllib.request.ProxyHandler({})


def wait_until_ready(url: str) -> None:
    """Ask until the operator says that it is ready; end with its own words when it does not."""
    opener = urllib.request.build_opener(DIRECT)
    end = time.monotonic() + PATIENCE
    while True:
        try:
            opener.open(url, timeout=5).close()
        except urllib.error.HTTPError as error:
            said = error.read().decode().strip()
        except OSError as error:
            said = str(error)
        else:
            sys.stdout.write(f"ok: the operator is ready ({url})\n")
            return
        if time.monotonic() > end:
            sys.exit(f"the operator is not ready after {PATIENCE} s: {url}: {said}")
        time.sleep(1)


def ask_for_a_pipeline(namespace: str, image: str, limits: dict[str, object]) -> None:
    """Have the API server check a pipeline, its admission included, without making it."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    with open(f"{ACCOUNT}/token") as file:
        token = file.read().strip()
    pipeline = {
        "apiVersion": "modelpipeline.dev/v1alpha1",
        "kind": "ModelPipeline",
        "metadata": {"generateName": "helm-test-"},
        "spec": {"train": {"image": image, "resources": {"limits": limits}}},
    }
    request = urllib.request.Request(  # noqa: S310 - the scheme is https
        f"{server}/apis/modelpipeline.dev/v1alpha1/namespaces/{namespace}/modelpipelines"
        "?dryRun=All&fieldValidation=Strict",
        data=json.dumps(pipeline).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt"))
    try:
        urllib.request.build_opener(DIRECT, tls).open(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        sys.exit(f"the API server takes no pipeline in namespace {namespace}: {error.read().decode()}")
    sys.stdout.write(f"ok: the API server takes a pipeline in namespace {namespace}\n")


if os.environ.get("READY"):
    wait_until_ready(os.environ["READY"])
ask_for_a_pipeline(os.environ["NAMESPACE"], os.environ["IMAGE"], json.loads(os.environ["LIMITS"]))
