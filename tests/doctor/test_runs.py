"""Each diagnosis on a run made ill on purpose, and no diagnosis on healthy ones."""

import pytest

ILL = [
    ("collapsed", "posterior collapse", "ill"),
    ("too many units", "unused units", "warning"),
    ("rate for nothing", "worse than no model", "ill"),
    ("rate for nothing", "rate too high", "warning"),
    ("rate for nothing", "heavy-tailed weights", "warning"),
    ("scale fixed", "scale out of proportion", "warning"),
    ("copied column", "vanishing scale", "ill"),
    ("constant column", "vanishing scale", "ill"),
    ("overfit", "overfitting", "warning"),
    ("one epoch", "under-training", "ill"),
    ("few epochs", "under-training", "ill"),
    ("spiky", "loss spikes", "ill"),
    ("whole numbers", "counted data under a density", "warning"),
    ("classes as numbers", "counted data under a density", "ill"),
    ("grey levels as floats", "counted data under a density", "warning"),
    ("leaking", "leak between splits", "ill"),
]
SLOW = pytest.mark.slow
HEALTHY = [
    "gaussian",
    pytest.param("table", marks=SLOW),
    pytest.param("digits", marks=SLOW),
    pytest.param("binary", marks=SLOW),
    pytest.param("weighted", marks=SLOW),
]


@pytest.mark.parametrize(("run", "name", "severity"), ILL)
def test_a_run_made_ill_is_found_out(examined, run: str, name: str, severity: str) -> None:
    findings = {finding.name: finding for finding in examined(run).findings}
    assert name in findings
    assert findings[name].severity == severity
    assert findings[name].words.endswith(".") and findings[name].remedy.endswith(".")


@pytest.mark.parametrize("run", HEALTHY)
def test_a_healthy_run_has_no_findings(examined, run: str) -> None:
    examination = examined(run)
    assert examination.findings == () and examination.facts == ()
    assert len(examination.looked) == 14
