"""Prints `name==bound` for every requirement of pyproject.toml, at the lowest version that it allows.

    python .ci/lowest.py pyproject.toml test > lowest.txt

The words after the file name the extras to include. Requirements whose marker excludes this
interpreter or platform are left out.
"""

import sys
import tomllib
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version


def lowest(project: dict, extras: list[str]) -> list[str]:
    """The requirements, pinned.

    Args:
        project: The table `project` of pyproject.toml.
        extras: Names of optional dependencies to include.

    Raises:
        SystemExit: an extra is unknown, or a requirement has no lower bound that its other bounds allow.
    """
    optional = project.get("optional-dependencies", {})
    texts = list(project.get("dependencies", []))
    for extra in extras:
        if extra not in optional:
            raise SystemExit(f"unknown extra {extra!r}; allowed: {', '.join(optional)}; name one of them")
        texts += optional[extra]
    bounds: dict[str, Version] = {}
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise SystemExit(f"cannot read the requirement {text!r}: {error}; write name>=bound") from None
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            name = canonicalize_name(requirement.name)
            bounds[name] = max(bounds.get(name, Version("0")), _bound(requirement))
    return [f"{name}=={bound}" for name, bound in bounds.items()]


def _bound(requirement: Requirement) -> Version:
    lower = [Version(s.version) for s in requirement.specifier if s.operator in (">=", "~=", "==")]
    if not lower:
        raise SystemExit(f"the requirement {str(requirement)!r} has no lower bound; write name>=bound")
    if not requirement.specifier.contains(max(lower), prereleases=True):
        raise SystemExit(f"the requirement {str(requirement)!r} excludes its lower bound; raise the bound")
    return max(lower)


if __name__ == "__main__":
    table = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print("\n".join(lowest(table["project"], sys.argv[2:])))
