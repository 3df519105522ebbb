"""Write the generated files, or check that they are as they would be written.

python -m hack.generate            write crds/, what the chart is made of, config/ and the reference pages in docs/
python -m hack.generate --check    write nothing; fail when a file is not as it would be written
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hack.chart import plain, readme, schema
from hack.generate import conditions, fields, rights
from modelpipeline import settings
from modelpipeline.schema import admission, crd

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    f"crds/{crd.NAME}.yaml": crd.render,
    "charts/modelpipeline-operator/generated/crds.yaml": crd.render,
    "charts/modelpipeline-operator/generated/admission.yaml": admission.render,
    "docs/fields.md": fields.render,
    "docs/conditions.md": conditions.render,
    "docs/settings.md": settings.document,
    "charts/modelpipeline-operator/generated/rules.yaml": rights.rules,
    "docs/rights.md": rights.page,
    # From here on helm reads what is above, in the files where it now stands.
    "charts/modelpipeline-operator/values.schema.json": schema.text,
    "charts/modelpipeline-operator/README.md": readme.text,
    "config/default/operator.yaml": plain.operator,
    "config/restricted/policies.yaml": plain.policies,
}


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Write below root, or with --check compare; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m hack.generate", description="Write the generated files.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is out of date")
    check = parser.parse_args(arguments).check
    stale = []
    for path, render in FILES.items():
        text = render()
        if _same(root / path, text):
            continue
        stale.append(path)
        if not check:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
            print(f"wrote {path}")
    if check and stale:
        print(f"out of date: {', '.join(stale)}; to write them again: make generate", file=sys.stderr)
        return 1
    return 0


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
