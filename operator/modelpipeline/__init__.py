"""ModelPipeline: a Kubernetes operator that trains, builds and deploys a model from one object.

The rooms and the one-way imports between them are described in CONTRIBUTING.md.
"""

__version__ = "0.1.0"
