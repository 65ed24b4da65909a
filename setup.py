"""The C extension, and the folders of the package; all else of the packaging stands in pyproject.toml."""

import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent

# Optional: where it cannot be built, another engine runs, and `seqtasks doctor` says so. Nothing of
# Python is used in it (it is loaded by ctypes), so one build is right for all versions.
NATIVE = Path("seqtasks", "engines", "native")
KERNEL = Extension(
    "seqtasks.engines.native._kernel",
    [str(NATIVE / "kernel.c")],
    depends=[str(path.relative_to(ROOT)) for path in sorted((ROOT / NATIVE).glob("*.h"))],
    extra_compile_args=["-O3", "-std=gnu11", "-ffp-contract=fast", "-pthread"],
    extra_link_args=["-pthread"],
    py_limited_api=True,
    optional=True,
)


class BuildWithCommit(build_py):
    """Writes the git commit into the built package, so that result rows of a wheel name it."""

    def run(self):
        super().run()
        # An archive unpacked inside another repository has no commit of its own.
        if not self.editable_mode and (ROOT / ".git").exists() and shutil.which("git"):
            git = ["git", "-C", str(ROOT), "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+"]
            result = subprocess.run(git, capture_output=True, text=True)
            if result.returncode == 0:
                text = f'"""The commit that this package was built from."""\n\nCOMMIT = "{result.stdout.strip()}"\n'
                Path(self.build_lib, "seqtasks", "_commit.py").write_text(text, encoding="utf-8")


setup(
    packages=[*find_packages(include=["seqtasks", "seqtasks.*"]), "seqtasks.tasks", "seqtasks.configs"],
    package_dir={"seqtasks.tasks": "tasks", "seqtasks.configs": "configs"},
    package_data={
        "seqtasks": ["py.typed", "**/*.pyi", "task_types/*/*.txt"],
        "seqtasks.cli": ["templates/*"],
        "seqtasks.views": ["templates/*"],
        "seqtasks.configs": ["*.yaml", "schemas/*.json"],
    },
    ext_modules=[] if sys.platform == "win32" else [KERNEL],  # GNU vectors and POSIX threads, which MSVC lacks
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    cmdclass={"build_py": BuildWithCommit},
)
