"""The rules and the dashboard in config/: they only ask for what there is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from modemproxy.operate.metrics import exposition
from tests.e2e.host import needs, run_program
from tests.operate.exposition import parse
from tests.operate.test_metrics import report

CONFIG = Path(__file__).parent.parent.parent / "config"
RULES = CONFIG / "prometheus" / "modemproxy.rules.yml"
DASHBOARD = CONFIG / "grafana" / "modemproxy.json"


def known() -> dict[str, set[str]]:
    """Every metric with its labels, those that Prometheus adds included."""
    door = {
        "name": "web",
        "kind": "tcp",
        "enabled": True,
        **dict.fromkeys(("clients", "connections", "refused", "up", "down"), 0),
        "causes": {"SC": 1},
    }
    module = {**report()["module"], "signal_dbm": -90}
    told = parse(exposition(report(module=module, surfaces=[door])))
    added = {"job", "instance"}
    labels = {
        name: {label for each in family.samples for label, _ in each} | added
        for name, family in told.items()
    }
    recorded = [rule for rule in rules() if "record" in rule]
    return {**labels, **{rule["record"]: added for rule in recorded}, "up": added}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries() -> list[str]:
    """All expressions of the rules and of the dashboard."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    drawn = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    return [rule["expr"] for rule in rules()] + drawn


def used(query: str) -> list[tuple[str, set[str]]]:
    """Metrics in an expression, and the labels that they are chosen by."""
    found = re.findall(r"\b((?:modemproxy|process)[a-z_:0-9]*|up)\b(?:\{(.*?)\})?", query)
    return [(name, set(re.findall(r"(\w+)[=!]", chosen))) for name, chosen in found]


@pytest.mark.parametrize("query", queries())
def test_an_expression_asks_for_what_there_is(query: str) -> None:
    metrics = known()
    assert used(query)
    for name, labels in used(query):
        assert name in metrics
        assert labels <= metrics[name]


def test_every_alert_says_what_it_is_about() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len(alerts) > 8
    for alert in alerts:
        assert alert["labels"]["severity"] in ("warning", "critical")
        assert alert["annotations"]["summary"]
        assert alert["annotations"]["description"]


def test_the_dashboard_can_be_imported_anywhere() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    (source,) = [
        each for each in dashboard["templating"]["list"] if each["type"] == "datasource"
    ]
    assert source["name"] == "datasource"
    assert "id" not in dashboard
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(numbers)) == len(numbers)
    drawn = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    for panel in drawn:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


@pytest.mark.slow
@needs("promtool")
@pytest.mark.parametrize(
    ("kind", "name"), [("rules", "modemproxy.rules.yml"), ("config", "prometheus.yml")]
)
async def test_promtool_accepts_it(kind: str, name: str) -> None:
    checked = await run_program("promtool", "check", kind, str(RULES.with_name(name)))
    assert checked.returncode == 0, checked.stdout


LINKS = 'modemproxy_links{job="modemproxy",instance="b",use="free"}'
TESTS = """
rule_files: [{rules}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {{series: 'modemproxy_module_up{{job="modemproxy",instance="a"}}', values: '1 0x10'}}
      - {{series: '{links}', values: '0x10'}}
      - {{series: 'modemproxy_module_up{{job="modemproxy",instance="b"}}', values: '1x10'}}
    alert_rule_test:
      - {{eval_time: 4m, alertname: ModemProxyModuleDown, exp_alerts: []}}
      - eval_time: 8m
        alertname: ModemProxyModuleDown
        exp_alerts:
          - exp_labels: {{severity: critical, job: modemproxy, instance: a}}
            exp_annotations:
              summary: The module on a is out of service
              description: {description}
      - eval_time: 6m
        alertname: ModemProxyLinksExhausted
        exp_alerts:
          - exp_labels: {{severity: warning, job: modemproxy, instance: b, use: free}}
            exp_annotations: {annotations}
"""


@pytest.mark.slow
@needs("promtool")
async def test_alerts_come_when_they_should(tmp_path: Path) -> None:
    by_name = {rule["alert"]: rule for rule in rules() if "alert" in rule}
    exhausted = dict(by_name["ModemProxyLinksExhausted"]["annotations"])
    exhausted["summary"] = "All ten links of the module on b are in use"
    text = TESTS.format(
        rules=RULES,
        links=LINKS,
        description=json.dumps(by_name["ModemProxyModuleDown"]["annotations"]["description"]),
        annotations=json.dumps(exhausted),
    )
    file = tmp_path / "test.yml"
    file.write_text(text)
    done = await run_program("promtool", "test", "rules", str(file))
    assert done.returncode == 0, done.stderr + done.stdout
