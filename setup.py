"""Packaging of seqtasks; `tasks/` and `configs/` of the checkout ship inside the package."""

from setuptools import find_packages, setup

REQUIRES = [
    "filelock>=3.13",
    "importlib_resources>=6.0",  # tensorflow-datasets 4.9.10 needs it to download and does not say so
    "keras>=3.12",
    "matplotlib>=3.9",
    "numpy>=1.26",
    "pandas>=2.2",
    "pillow>=10.3",
    "platformdirs>=4.2",
    "pyyaml>=6.0.1",
    "rich>=13.7",
    "scikit-learn>=1.5",
    "tensorflow>=2.20",
    "tensorflow-datasets>=4.9.9",
    "typer>=0.15",
]

EXTRAS = {
    "tensorboard": ["tensorboard>=2.20"],
    "test": ["pytest>=8.2", "pytest-timeout>=2.3"],
    "lint": ["mypy>=1.14", "pandas-stubs>=2.2", "ruff>=0.9", "types-PyYAML>=6.0"],
    # An oracle for the tests only. On Linux plain `pip install torch` brings CUDA packages along;
    # install the CPU build first where several gigabytes matter.
    "oracle": ["torch>=2.6"],
}

setup(
    name="seqtasks",
    version="0.1.0",
    description="The RNN laboratory for Keras: any recurrent cell on any sequence task, in tables you can trust",
    long_description=open("README.md", encoding="utf-8").read(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=[*find_packages(include=["seqtasks", "seqtasks.*"]), "seqtasks.tasks", "seqtasks.configs"],
    package_dir={"seqtasks.tasks": "tasks", "seqtasks.configs": "configs"},
    package_data={"seqtasks": ["py.typed", "templates/*"], "seqtasks.configs": ["*.yaml"]},
    install_requires=REQUIRES,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["seqtasks=seqtasks.cli:main"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3 :: Only",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
