"""A free port for each process of the demo, the same one in the next run while nobody else took it."""

import pathlib
import socket


def ensure(file: pathlib.Path, address: str, *, in_use_by_us: bool) -> int:
    """Return the remembered port when it is ours or still free, else another free one."""
    remembered = int(file.read_text()) if file.is_file() else 0
    if in_use_by_us and remembered:
        return remembered
    port = _free(address, remembered) or _free(address, 0)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(str(port))
    return port


def answers(address: str, port: int) -> bool:
    """Tell whether somebody listens."""
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def _free(address: str, port: int) -> int:
    with socket.socket() as probe:
        # As servers do it: a connection of the last run that is not quite forgotten does not occupy the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return 0
        return int(probe.getsockname()[1])
