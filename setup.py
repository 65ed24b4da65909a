"""Packaging of seqtasks; `tasks/` and `configs/` of the checkout ship inside the package."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "seqtasks" / "core" / "version.py").read_text()).group(1)

# The lower bounds are installed together and tested by .ci/run.
REQUIRES = [
    "filelock>=3.13",
    "importlib_resources>=6.0",  # tensorflow-datasets 4.9.10 needs it to download and does not say so
    "keras>=3.12",
    "lazy_loader>=0.4",
    "matplotlib>=3.9",
    "nltk>=3.9.1",
    "numpy>=1.26",
    "pandas>=2.2",
    "pillow>=10.3",
    "platformdirs>=4.2",
    "pyyaml>=6.0.1",
    "rich>=13.7",
    "sacrebleu>=2.4",
    "scikit-learn>=1.5",
    "seqeval>=1.2.2",
    "tensorflow>=2.20",
    "tensorflow-datasets>=4.9.10",  # 4.9.9 cannot read what it prepared with protobuf 7
    "tokenizers>=0.21",
    "typer>=0.19",  # the first that reads Literal
]

EXTRAS = {
    "tensorboard": ["tensorboard>=2.20"],
    "test": ["pytest>=8.2", "pytest-timeout>=2.3.1", "pytest-xdist>=3.6.1"],
    "lint": ["mypy>=1.14", "pandas-stubs>=2.2", "ruff>=0.9", "types-PyYAML>=6.0"],
    # An oracle for the tests only. On Linux plain `pip install torch` brings CUDA packages along;
    # install the CPU build first where several gigabytes matter.
    "oracle": ["torch>=2.6", "torchrecurrent>=0.2.5"],
    # Another backend of Keras for the layers and cells: KERAS_BACKEND=jax.
    "jax": ["jax>=0.8"],
}


# Optional: where it cannot be built, another engine runs, and `seqtasks doctor` says so. Nothing of
# Python is used in it (it is loaded by ctypes), so one build is right for all versions.
NATIVE = Path("seqtasks", "engines", "native")
KERNEL = Extension(
    "seqtasks.engines.native._kernel",
    [str(NATIVE / "kernel.c")],
    depends=[str(path.relative_to(ROOT)) for path in sorted((ROOT / NATIVE).glob("*.h"))],
    extra_compile_args=[] if sys.platform == "win32" else ["-O3", "-std=gnu11", "-ffp-contract=fast", "-pthread"],
    extra_link_args=[] if sys.platform == "win32" else ["-pthread"],
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
            found = subprocess.run(git, capture_output=True, text=True)
            if found.returncode == 0:
                text = f'"""The commit that this package was built from."""\n\nCOMMIT = "{found.stdout.strip()}"\n'
                Path(self.build_lib, "seqtasks", "_commit.py").write_text(text, encoding="utf-8")


setup(
    name="seqtasks",
    version=VERSION,
    description="The RNN laboratory for Keras: any recurrent cell on any sequence task, in tables you can trust",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=[*find_packages(include=["seqtasks", "seqtasks.*"]), "seqtasks.tasks", "seqtasks.configs"],
    package_dir={"seqtasks.tasks": "tasks", "seqtasks.configs": "configs"},
    package_data={
        "seqtasks": ["py.typed", "**/*.pyi", "task_types/*/example.*.txt"],
        "seqtasks.cli": ["templates/*"],
        "seqtasks.configs": ["*.yaml"],
    },
    ext_modules=[KERNEL],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    install_requires=REQUIRES,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["seqtasks=seqtasks.cli.main:main"]},
    cmdclass={"build_py": BuildWithCommit},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3 :: Only",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
