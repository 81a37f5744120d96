"""The made-up backtest, for every test of how one is shown."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """The file ``example.py`` beside this one."""
    spec = importlib.util.spec_from_file_location("report_example", HERE / "example.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["report_example"] = module
    spec.loader.exec_module(module)
    return module
