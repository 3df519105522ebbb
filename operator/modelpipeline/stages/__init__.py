"""One file a stage: decide from observations what should be there; plan.py runs them in order."""
