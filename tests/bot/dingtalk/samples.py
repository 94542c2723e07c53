"""Published samples, read from the folder beside the project; absent on a user's machine."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no finding.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SHARED = Path(__file__).parents[3] / "../shared/data"


def lines(name: str) -> list[Any]:
    """One pytest parameter per line of ``name``; a single skipped one where it is absent."""
    path = SHARED / name
    if not path.exists():
        missing = pytest.mark.skip(reason=f"{name} is not beside the project")
        return [pytest.param(None, id=name, marks=missing)]
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [pytest.param(row, id=row["id"]) for row in rows]
