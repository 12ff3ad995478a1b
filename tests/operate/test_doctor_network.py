"""The doctor on modules whose network, firmware or resolver is not well."""

from pathlib import Path

import pytest
import trio

from modemproxy.operate.doctor.finding import Grade
from tests.operate.clinic import BROKER, Clinic, forward, server

pytestmark = pytest.mark.usefixtures("autojump_clock")


async def test_another_apn_than_configured(nursery: trio.Nursery, tmp_path: Path) -> None:
    clinic = Clinic(nursery, tmp_path, apn="old.apn")
    report = await clinic.examine(apn="new.apn")
    report.warns("context", "APN old.apn (IP)", "the proxy changes that at its start")
    assert clinic.module.dce.saved.contexts[1].apn == "old.apn"


async def test_a_sim_without_data(nursery: trio.Nursery, tmp_path: Path) -> None:
    clinic = Clinic(nursery, tmp_path, netopen_fail_first=99)
    report = await clinic.examine()
    report.fails(
        "network",
        "no data connection: NETOPEN failed 3 times: network failure",
        "does the SIM have data, and credit? is the APN right (the module has internet",
    )


async def test_a_network_that_never_says_how_it_went(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    clinic = Clinic(nursery, tmp_path, netopen_delay_s=10000.0)
    report = await clinic.examine()
    report.fails("network", "not done within 75 s", "restart the module")


@pytest.mark.parametrize("cmee", [0, 2])
async def test_a_firmware_without_sockets(
    nursery: trio.Nursery, tmp_path: Path, cmee: int
) -> None:
    clinic = Clinic(nursery, tmp_path, sockets_present=False, cmee=cmee)
    report = await clinic.examine()
    report.fails("sockets", "firmware without the socket commands", "another firmware")
    assert report.steps["context"].grade is Grade.OK  # the bearer is up all the same
    assert report.steps["network"].found == "needs: sockets"


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("10.84.17.161", "10.84.17.161, private: nobody outside"),
        ("100.72.3.4", "behind the operator's NAT (100.64.0.0/10): nobody outside"),
    ],
)
async def test_servers_behind_a_carriers_nat(
    nursery: trio.Nursery, tmp_path: Path, address: str, found: str
) -> None:
    clinic = Clinic(nursery, tmp_path, address=address)
    report = await clinic.examine(servers=(server(),))
    report.warns("address", found, "ask the operator for an APN with a public address")
    assert "web (port 8080)" in report.steps["address"].found
    report = await clinic.examine()
    assert report.steps["address"].grade is Grade.OK  # nobody comes from outside


async def test_servers_on_a_public_address(nursery: trio.Nursery, tmp_path: Path) -> None:
    clinic = Clinic(nursery, tmp_path, address="8.8.4.4")
    report = await clinic.examine(servers=(server(),))
    assert report.steps["address"].found == "8.8.4.4, public"
    assert report.code == 0


async def test_a_firmware_that_does_not_count(nursery: trio.Nursery, tmp_path: Path) -> None:
    report = await Clinic(nursery, tmp_path, cipack=False).examine()
    report.warns("sending", "firmware without CIPACK", "it works")


async def test_udp_on_a_firmware_that_merges_datagrams(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    clinic = Clinic(nursery, tmp_path, cipccfg_fields=7)
    report = await clinic.examine(forwards=(forward("coap", protocol="udp"),))
    report.warns("UDP", "firmware without UDP package mode: datagrams that arrive close", "TCP")
    assert "may reach coap as one" in report.steps["UDP"].found
    report = await clinic.examine()
    assert report.steps["UDP"].grade is Grade.OK  # nobody uses it


async def test_a_name_that_is_wrong(nursery: trio.Nursery, tmp_path: Path) -> None:
    clinic = Clinic(nursery, tmp_path)
    report = await clinic.examine(forwards=(forward(), forward("x", "brokre.example.com")))
    report.fails(
        "names", "finds no address for brokre.example.com, but for other names", "name right"
    )


async def test_a_resolver_that_does_not_work(nursery: trio.Nursery, tmp_path: Path) -> None:
    clinic = Clinic(nursery, tmp_path)
    clinic.internet.names.clear()
    report = await clinic.examine()
    report.fails("names", f"not for {BROKER} nor example.com", "modem.dns: [9.9.9.9]")
    report = await clinic.examine(forwards=(forward(host="203.0.113.9"),))
    report.warns("names", "no answer for example.com", "only where names")
