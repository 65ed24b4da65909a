"""Prints `name==bound` for every requirement of a wheel, at the lowest version that it allows.

    python .ci/lowest.py dist/seqtasks-0.1.0-py3-none-any.whl test > lowest.txt

The words after the wheel name the extras to include.
"""

import re
import sys
import zipfile
from email.parser import Parser

REQUIREMENT = re.compile(r'([\w.-]+)\s*>=\s*([\w.]+)(?:\s*;\s*extra\s*==\s*["\'](\w+)["\'])?')


def lowest(wheel: str, extras: list[str]) -> list[str]:
    """The requirements, pinned.

    Raises:
        SystemExit: a requirement has another form than `name>=bound`.
    """
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(archive.read(name).decode())
    pinned = []
    for text in metadata.get_all("Requires-Dist", []):
        found = REQUIREMENT.fullmatch(text.strip())
        if found is None:
            raise SystemExit(f"cannot read the requirement {text!r}; write name>=bound in pyproject.toml")
        name, bound, extra = found.groups()
        if extra is None or extra in extras:
            pinned.append(f"{name}=={bound}")
    return pinned


if __name__ == "__main__":
    print("\n".join(lowest(sys.argv[1], sys.argv[2:])))
