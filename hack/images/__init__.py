"""Images made on this machine, without a hub and without Docker: `from hack.images import images`."""
