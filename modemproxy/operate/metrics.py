"""What Prometheus is told: the report's numbers, in base units and under lasting names.

The names are a contract with dashboards and rules (config/grafana, config/prometheus):
a name that is taken away or changes its meaning breaks them silently.
"""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from modemproxy.module.condition import ModuleState
from modemproxy.module.ladder import Rung
from modemproxy.operate.metrics_text import Exposition, Kind, Sample
from modemproxy.operate.report import Facts

#: What a link number can be used for, as the report has it.
USES: Final = ("open", "opening", "cleaning", "free")
_RUNGS: Final = ("R1", *(rung.label for rung in Rung))
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def exposition(status: Facts) -> str:
    """Write all metrics.

    Args:
        status: as ``Report.status()`` gives it.
    """
    out = Exposition()
    _add_program(out, status)
    _add_module(out, status["module"])
    _add_line(out, status["line"])
    _add_links(out, status["links"])
    _add_listeners(out, status["surfaces"])
    _add_process(out, status)
    return out.text()


def _add_program(out: Exposition, status: Facts) -> None:
    build = {"version": str(status["version"])}
    out.add("modemproxy_build_info", "gauge", "The version, as a label.", [(build, 1)])
    out.gauge(
        "modemproxy_draining",
        "1 while nobody is let in any more and those inside may finish.",
        int(status["draining"]),
    )


def _add_module(out: Exposition, module: Facts) -> None:
    state, up = module["state"], ModuleState.UP.value
    out.gauge("modemproxy_module_up", "1 while the module is in service.", int(state == up))
    out.add(
        "modemproxy_module_state",
        "gauge",
        "1 for the state that the module is in, 0 for the others.",
        [({"state": each.value}, int(state == each.value)) for each in ModuleState],
    )
    out.gauge(
        "modemproxy_module_state_since_timestamp_seconds",
        "When the module came into its state, seconds since the epoch.",
        round(time.time() - module["since_s"], 3),
    )
    info = {"model": module["model"], "port": module["port"]}
    out.add("modemproxy_module_info", "gauge", "The module, as labels.", [(info, 1)])
    out.gauge(
        "modemproxy_module_signal_dbm",
        "Received signal; absent while it is not known.",
        module["signal_dbm"],
    )
    out.counter(
        "modemproxy_module_sessions_total", "Bring-ups that succeeded.", module["sessions"]
    )
    taken: Mapping[str, int] = module["recoveries"]
    out.add(
        "modemproxy_module_recoveries_total",
        "counter",
        "Steps of recovery, by rung of the ladder: R1 puts the line back into step, R7 cuts "
        "the power.",
        [({"rung": rung}, taken.get(rung, 0)) for rung in sorted({*_RUNGS, *taken})],
    )


def _add_line(out: Exposition, line: Facts) -> None:
    out.add(
        "modemproxy_line_airtime_seconds_total",
        "counter",
        "Time for which the serial line was used, by kind of exchange; its rate is the "
        "line's share.",
        _by("kind", line["seconds"]),
    )
    out.add(
        "modemproxy_line_exchanges_total",
        "counter",
        "Exchanges with the module, by kind.",
        _by("kind", line["exchanges"]),
    )
    out.add(
        "modemproxy_line_payload_bytes_total",
        "counter",
        "Payload over the serial line: up to the far sides, down from them.",
        _by("direction", {"up": line["bytes_written"], "down": line["bytes_read"]}),
    )
    out.counter(
        "modemproxy_line_prompts_total", "Prompts waited for when sending.", line["prompts"]
    )
    out.counter(
        "modemproxy_line_busy_answers_total",
        "Sends for which the module had no room.",
        line["busy_answers"],
    )
    out.gauge(
        "modemproxy_line_turnaround_seconds",
        "How long the module takes to answer, as measured lately.",
        line["turnaround_ms"] / 1000,
    )
    out.gauge(
        "modemproxy_line_commands_waiting", "Commands that wait for the line.", line["waiting"]
    )


def _add_links(out: Exposition, links: Facts) -> None:
    used = [number["use"] for number in links["numbers"]]
    out.add(
        "modemproxy_links",
        "gauge",
        "The module's link numbers, by use; all are 0 while there is no session.",
        [({"use": use}, used.count(use)) for use in USES],
    )
    out.gauge(
        "modemproxy_links_waiting",
        "Connections that wait for a link number.",
        links["waiting"],
    )


def _add_listeners(out: Exposition, surfaces: list[Facts]) -> None:
    doors = [({"listener": each["name"], "kind": each["kind"]}, each) for each in surfaces]
    out.add(
        "modemproxy_listener_enabled",
        "gauge",
        "1 for a forward, server or proxy that lets clients in by its rules, 0 for one that "
        "was switched off.",
        [(labels, int(each["enabled"])) for labels, each in doors],
    )
    for name, kind, key, about in _COUNTS:
        out.add(name, kind, about, [(labels, each[key]) for labels, each in doors])
    out.add(
        "modemproxy_connections_ended_total",
        "counter",
        "Connections that ended, by cause as in the access log; -- is an orderly end.",
        [
            ({**labels, "cause": cause}, count)
            for labels, each in doors
            for cause, count in {"--": 0, **each["causes"]}.items()
        ],
    )
    out.add(
        "modemproxy_traffic_bytes_total",
        "counter",
        "Payload of connections: up through the module to the far side, down from it.",
        [
            ({**labels, "direction": direction}, each[direction])
            for labels, each in doors
            for direction in ("up", "down")
        ],
    )


_COUNTS: Final[tuple[tuple[str, Kind, str, str], ...]] = (
    ("modemproxy_connections_active", "gauge", "clients", "Connections at present."),
    (
        "modemproxy_connections_total",
        "counter",
        "connections",
        "Connections that were let in.",
    ),
    (
        "modemproxy_connections_refused_total",
        "counter",
        "refused",
        "Connections that were not let in.",
    ),
)


def _add_process(out: Exposition, status: Facts) -> None:
    out.gauge(
        "process_start_time_seconds",
        "When the program was started, seconds since the epoch.",
        round(status["started_at"], 3),
    )
    out.counter(
        "process_cpu_seconds_total",
        "Processor time, user and system.",
        time.process_time(),
    )
    out.gauge("process_resident_memory_bytes", "Resident memory.", _resident_bytes())


def _resident_bytes() -> int | None:
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return None
    return int(pages) * _PAGE_BYTES


def _by(label: str, values: Mapping[str, float]) -> Iterator[Sample]:
    return (({label: name}, value) for name, value in values.items())
