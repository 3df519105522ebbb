"""What `helm test` asks: is the operator ready, and would the API server take a pipeline? Nothing is made."""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
PATIENCE = 60


def wait_until_ready(url):
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return print(f"ok: the operator is ready: {url}")
        except (urllib.error.URLError, OSError) as error:
            said = error.read().decode().strip() if isinstance(error, urllib.error.HTTPError) else error
            if time.monotonic() > end:
                sys.exit(f"the operator is not ready after {PATIENCE} s: {url}: {said}")
        time.sleep(1)


def ask_for_a_pipeline(namespace, image):
    server = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    if ":" in os.environ["KUBERNETES_SERVICE_HOST"]:
        server = f"https://[{os.environ['KUBERNETES_SERVICE_HOST']}]:{os.environ['KUBERNETES_SERVICE_PORT']}"
    path = f"/apis/modelpipeline.dev/v1alpha1/namespaces/{namespace}/modelpipelines"
    with open(f"{ACCOUNT}/token") as file:
        token = file.read().strip()
    pipeline = {
        "apiVersion": "modelpipeline.dev/v1alpha1",
        "kind": "ModelPipeline",
        "metadata": {"generateName": "helm-test-"},
        "spec": {"train": {"image": image}},
    }
    request = urllib.request.Request(
        f"{server}{path}?dryRun=All&fieldValidation=Strict",
        data=json.dumps(pipeline).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    # The API server is never behind the proxy of the environment.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=f"{ACCOUNT}/ca.crt")),
    )
    try:
        opener.open(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        body = error.read().decode()
        try:
            body = json.loads(body)["message"]
        except (ValueError, KeyError):
            pass
        sys.exit(f"the API server takes no pipeline in namespace {namespace}: {body}")
    print(f"ok: the API server takes a pipeline in namespace {namespace}")


if os.environ.get("READY"):
    wait_until_ready(os.environ["READY"])
ask_for_a_pipeline(os.environ["NAMESPACE"], os.environ["IMAGE"])
