"""Condition types: one positive condition a stage, and the summaries that tools read.

Here: their names and what they mean. Elsewhere: why one is as it is (reasons.py), how one is set (status.py).
"""

from __future__ import annotations

READY = "Ready"
AVAILABLE = "Available"
FINISHED = "Finished"
RECONCILING = "Reconciling"
STALLED = "Stalled"
STORAGE_READY = "StorageReady"
TRAINED = "Trained"
GATE_PASSED = "GatePassed"
IMAGE_BUILT = "ImageBuilt"
DEPLOYED = "Deployed"

MEANING = {
    READY: "What serves is this generation's spec, passed every gate and is completely rolled out.",
    AVAILABLE: "Some promoted revision is serving now.",
    FINISHED: "The current run ended, well or not.",
    RECONCILING: "Present only when True: a new generation is being worked on.",
    STALLED: "Present only when True: a person must act.",
    STORAGE_READY: "The claim exists and can be used.",
    TRAINED: "Training succeeded and reported what was asked for.",
    GATE_PASSED: "Every metric passed its thresholds.",
    IMAGE_BUILT: "Every image of the run was built and pushed, or found.",
    DEPLOYED: "The revision that should serve is completely rolled out.",
}
"""In the order in which `status.conditions` lists them."""

STAGES = (STORAGE_READY, TRAINED, GATE_PASSED, IMAGE_BUILT, DEPLOYED)
"""The conditions that belong to one run: absent until relevant, dropped when a new run starts."""
