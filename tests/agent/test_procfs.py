"""What a machine tells of itself, from real files and from files made to look like a robot's."""

from pathlib import Path

import pytest

from agent.procfs import Machine

NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 999 1 0 0 0 0 0 0 999 1 0 0 0 0 0 0
 wlan0: 1000 9 0 0 0 0 0 0 200 5 0 0 0 0 0 0
docker0: 7 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0
"""  # noqa: E501 - as the kernel writes it
WIRELESS = """\
Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
 wlan0: 0000   54.  -56.  -256        0      0      0      0      0        0
"""
UDP = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  100: 0100007F:1FBD 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 123 2 0000000000000000 17
  101: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 124 2 0000000000000000 5
"""  # noqa: E501 - as the kernel writes it
FILES = {
    "proc/sys/kernel/random/boot_id": "b00t\n",
    "proc/stat": "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 1 1 1\n",
    "proc/meminfo": "MemTotal:  1000 kB\nMemFree: 10 kB\nMemAvailable:   250 kB\n",
    "proc/net/dev": NET_DEV,
    "proc/net/wireless": WIRELESS,
    "proc/net/udp": UDP,
    "sys/class/thermal/thermal_zone0/temp": "41500\n",
    "sys/class/thermal/thermal_zone1/temp": "63000\n",
    "sys/class/thermal/thermal_zone2/temp": "-274000\n",
    "sys/class/power_supply/AC/type": "Mains\n",
    "sys/class/power_supply/BAT0/type": "Battery\n",
    "sys/class/power_supply/BAT0/capacity": "80\n",
    "sys/class/power_supply/mouse/type": "Battery\n",
    "sys/class/power_supply/mouse/scope": "Device\n",
    "sys/class/power_supply/mouse/capacity": "3\n",
}


@pytest.fixture
def robot(tmp_path: Path) -> Path:
    """The files of a robot with Wi-Fi, a battery and thermometers."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_reads_a_robots_files(robot: Path) -> None:
    """Sensors, load and radio, each where the kernel shows it."""
    machine = Machine(robot)
    machine.gauges(robot)
    (robot / "proc/stat").write_text("cpu  150 0 150 850 150 0 0 0 0 0\n")
    gauges = machine.gauges(robot)
    assert (machine.boot, gauges["system.cpu_percent"], gauges["system.memory_percent"]) == (
        "b00t",
        33.3,
        75.0,
    )
    assert (gauges["system.temperature_c"], gauges["system.battery_percent"]) == (63.0, 80.0)
    assert gauges["network.signal_dbm"] == -56.0
    assert gauges["system.disk_free_bytes"] > 0


def test_counts_traffic_of_real_interfaces_only(robot: Path) -> None:
    """What goes through a container's bridge goes through the radio too, and counts once."""
    assert Machine(robot).traffic() == {"wlan0": (1000, 200)}


def test_counts_datagrams_dropped_at_our_port(robot: Path) -> None:
    """The kernel's own count of what a full socket lost."""
    assert [Machine(robot).datagrams_dropped(port) for port in (8125, 53, 1)] == [17, 5, 0]


@pytest.mark.parametrize("garbage", ["", "\n", "x y z\n" * 5, "a: b c d e f g h i j\n" * 5, ":\n" * 9])
def test_leaves_out_what_it_cannot_read(robot: Path, garbage: str) -> None:
    """No form of these files stops the agent."""
    for name in FILES:
        (robot / name).write_text(garbage)
    machine = Machine(robot)
    machine.gauges(robot)
    assert set(machine.gauges(robot)) == {"system.uptime_s", "system.disk_free_bytes"}
    assert (machine.traffic(), machine.datagrams_dropped(8125)) == ({}, 0)


def test_reads_this_machine() -> None:
    """Clocks and load of the machine that runs the test."""
    machine = Machine()
    before, after = machine.clocks(), machine.clocks()
    assert before.boot == after.boot != "unknown"
    assert before.up <= after.up
    assert 0 < machine.gauges(Path("/"))["system.memory_percent"] < 100


def test_a_machine_without_such_files(tmp_path: Path) -> None:
    """Nothing at all is no error."""
    machine = Machine(tmp_path)
    assert set(machine.gauges(tmp_path / "gone")) == {"system.uptime_s"}
    assert (machine.boot, machine.traffic()) == ("unknown", {})
