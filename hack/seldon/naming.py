"""The words that Seldon Core 1.17.1 uses for what it makes: names, labels, annotations, reasons.

Only words. They are Seldon's, so they are repeated here exactly, prose and capital letters included.
"""

import hashlib

CONTROLLER_ID = "seldon.io/controller-id"
MANAGED_BY = "app.kubernetes.io/managed-by"
SELDON_APP = "seldon-app"
SELDON_APP_SVC = "seldon-app-svc"
SELDON_ID = "seldon-deployment-id"
SVC_ORCH = "seldon-deployment-contains-svcorch"
SVC_NAME = "seldon.io/svc-name"

PODINFO_VOLUME = "seldon-podinfo"
PODINFO_PATH = "/etc/podinfo"

# Of Seldon's own making for a unit of each type; a unit without a type carries none.
TYPE_LABELS = {
    "ROUTER": "seldon.io/router",
    "COMBINER": "seldon.io/combiner",
    "MODEL": "seldon.io/model",
    "TRANSFORMER": "seldon.io/transformer",
    "OUTPUT_TRANSFORMER": "seldon.io/output-transformer",
}

AVAILABLE = "Available"
CREATING = "Creating"
FAILED = "Failed"

NOT_PROGRESSING = "Deployment is no longer progressing and not available."
NO_ENGINE_UNIT = (
    "engine not separate and no deployment for pu with localhost service - not clear where to inject engine"
)
SERVICES_READY = "All services created"
SERVICES_NOT_READY = "Not all services created"
NO_HPAS = "No HPAs defined"
NO_KEDA = "No KEDA resources defined"
NO_MAPPINGS = "No Ambassador Mappaings defined"  # codespell:ignore mappaings
NO_PDBS = "No PDBs defined"
NO_VIRTUAL_SERVICES = "No VirtualServices defined"

_LONGEST = 63


def short(name: str) -> str:
    """Cut a name the way Seldon does: as it is, or the hash of all of it."""
    if len(name) <= _LONGEST:
        return name
    return "seldon-" + hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def deployment(sdep: str, predictor: str, index: int, tail: str) -> str:
    """Name the Deployment of one componentSpec; `tail` is its own name or its container names."""
    return short(f"{sdep}-{predictor}-{index}-{tail}")


def predictor_service(sdep: str, predictor: str, annotations: dict[str, str]) -> str:
    """Name the Service that clients call."""
    return annotations.get(SVC_NAME) or short(f"{sdep}-{predictor}")


def unit_service(sdep: str, predictor: str, container: str) -> str:
    """Name the Service of one container of the graph."""
    return short(f"{sdep}-{predictor}-{container}")
