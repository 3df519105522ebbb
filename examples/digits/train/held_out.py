"""Write the digits that training never sees as JSON: ``python3 held_out.py > ../held-out.json``.

Whoever wants to ask the served model something honest needs them, and should not need scikit-learn for it.
"""

import json
import sys

import digits_data


def main() -> None:
    """Print the held-out part, one digit a line, and the name of its content."""
    part = digits_data.load().held_out
    rows = [
        json.dumps({"label": int(label), "pixels": [int(value) for value in row]})
        for row, label in zip(part.pixels, part.labels, strict=True)
    ]
    lines = ",\n  ".join(rows)
    sys.stdout.write(f'{{"fingerprint": "{digits_data.fingerprint(part)}",\n "digits": [\n  {lines}\n ]}}\n')


if __name__ == "__main__":
    main()
