"""The error of a command whose packages are missing."""

import pytest

from seqtasks.core.errors import ConfigError
from seqtasks.core.extras import require


def test_the_error_names_what_is_missing_and_the_extra() -> None:
    require(["json", "pytest"], "--format onnx", "export")
    with pytest.raises(ConfigError, match=r"^--format onnx needs no_one, no_two, not installed; run pip install 'seqt"):
        require(["json", "no_one", "no_two"], "--format onnx", "export")
