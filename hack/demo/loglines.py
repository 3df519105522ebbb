"""The operator's log for a person: its JSON lines, the words first. What is not JSON stays as it is."""

import json

_FIRST = ("timestamp", "level", "event")
_HIDDEN = (*_FIRST, "logger")


def readable(line: str) -> str:
    """Write one entry as time, level, words and key=value; of an exception its last line."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict):
        return line
    if "exception" in entry:
        entry["exception"] = str(entry["exception"]).strip().splitlines()[-1]
    time, level, event = (str(entry.get(key, "")) for key in _FIRST)
    rest = " ".join(f"{key}={value}" for key, value in entry.items() if key not in _HIDDEN)
    return " ".join(f"{time[11:19]} {level:<7} {event} {rest}".split())
