"""A real Kubernetes on any Linux machine, without Docker: `python -m hack.cluster up`."""
