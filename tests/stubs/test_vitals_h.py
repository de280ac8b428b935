"""`vitals.h` compiles without a warning as C99 and C++, speaks what the agent reads, and never gets in the
way of the firmware."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.catalogue import load
from agent.counters import Counters
from agent.datagrams import Absolute, Add, Put, Shift, parse

HERE = Path(__file__).parent
HEADER = HERE.parents[1] / "firmware_stubs" / "vitals.h"
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow"]
COMPILERS = {"c99": ["gcc", "-std=c99"], "c++": ["g++", "-std=c++11", "-xc++"]}
GONE = "/nowhere/v.sock"


def compile_strictly(language: str, source: Path, to: Path) -> Path:
    """Compiles as firmware would, every warning an error."""
    compiler, *standard = COMPILERS[language]
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    command = [compiler, *standard, *STRICT, "-O1", "-I", str(HEADER.parent), str(source), "-o", str(to)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return to


@pytest.fixture(scope="module", params=COMPILERS)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test's firmware."""
    to = tmp_path_factory.mktemp("vitals") / "firmware"
    return compile_strictly(str(request.param), HERE / "vitals_main.c", to)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[socket.socket]:
    """The agent's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "v.sock"))
        bound.setblocking(False)
        yield bound


def run(program: Path, *where: str, script: str) -> list[str]:
    """What the firmware prints; it must end well, whatever it was told."""
    result = subprocess.run([program, *where], input=script, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def datagrams(agent: socket.socket) -> list[bytes]:
    """What came."""
    received = []
    while True:
        try:
            received.append(agent.recv(65536))
        except BlockingIOError:
            return received


def test_lines_are_gathered_and_read_by_the_agent(program: Path, agent: socket.socket) -> None:
    """Counts, gauges and `up` of a flush arrive in one datagram, as the agent's own parser reads them."""
    script = (
        "count navigation.relocalization_faults 1\ngauge network.rtt_ms 23.4\nup navigation\nflush\ndropped\n"
    )
    assert run(program, agent.getsockname(), script=script) == ["opened 0", "0 errno 0"]
    (datagram,) = datagrams(agent)
    parsed = parse(datagram)
    assert parsed.refused == ()
    assert parsed.pushes == (
        Add("navigation.relocalization_faults", 1),
        Put("network.rtt_ms", 23.4),
        Put("navigation.up", 1),
    )


@pytest.mark.parametrize("value", ["-56.5", "0", "-0", "1e-9", "123456789012", "1.5e300", "-1e-300"])
def test_gauges_keep_their_value(program: Path, agent: socket.socket, value: str) -> None:
    """Negative ones too, which StatsD would otherwise take for a change."""
    run(program, agent.getsockname(), script=f"gauge network.signal_dbm {value}\n")
    level = 77.0
    for push in parse(datagrams(agent)[0]).pushes:
        level = push.value if isinstance(push, Put) else level + push.delta if isinstance(push, Shift) else 0
    assert level == float(value)


def test_full_buffers_are_sent_in_whole_lines(program: Path, agent: socket.socket) -> None:
    """No datagram is over 1400 bytes, no line is torn, none is missing."""
    script = "".join(f"count navigation.goals {number}\n" for number in range(1, 301))
    run(program, agent.getsockname(), script=script)
    received = datagrams(agent)
    assert 1 < len(received) < 10
    assert all(len(datagram) <= 1400 for datagram in received)
    pushes = [push for datagram in received for push in parse(datagram).pushes]
    assert pushes == [Add("navigation.goals", number) for number in range(1, 301)]


def test_own_counters_go_as_json(program: Path, agent: socket.socket) -> None:
    """With boot id and `up`, after what was gathered or before."""
    script = "json asr a1 utterances 8123 unrecognized 41\ndropped\n"
    assert run(program, agent.getsockname(), script=script)[1:] == ["0", "0 errno 0"]
    expected = Absolute("asr", "a1", {"utterances": 8123, "unrecognized": 41}, {"up": 1.0})
    assert parse(datagrams(agent)[0]).pushes == (expected,)


def test_what_arrives_counts_in_the_agent(program: Path, agent: socket.socket) -> None:
    """The agent's counters take every push of the header."""
    counters = Counters(load())
    for goals, utterances in ((1, 10), (2, 15)):
        script = f"count navigation.goals {goals}\nup navigation\njson asr a1 utterances {utterances}\n"
        run(program, agent.getsockname(), script=script)
        for datagram in datagrams(agent):
            for push in parse(datagram).pushes:
                counters.apply(push, 0)
    counts, gauges = counters.sample(0)
    assert counts["navigation"]["goals"] == 3
    assert counts["asr"]["utterances"] == 5
    assert gauges["navigation"]["up"] == 1


@pytest.mark.parametrize(
    "line",
    [
        "count goals 1",
        "count Navigation.goals 1",
        "count navigation. 1",
        "count .goals 1",
        "count navigation.goals:1|c 1",
        "count a.b.c 1",
        f"count navigation.{'g' * 65} 1",
        f"count navigation.goals {2**53 + 1}",
        "gauge network.rtt_ms nan",
        "gauge network.rtt_ms inf",
        "gauge network.rtt_ms -inf",
        "up NLP",
        'json asr a"1 utterances 1',
        "json as:r a1 utterances 1",
        'json asr a1 "utterances" 1',
        f"json asr a1 utterances {2**53 + 1}",
        f"json asr {'b' * 65} utterances 1",
        "json asr a1 " + " ".join(f"counter_{number:040} 1" for number in range(100)),
    ],
)
def test_what_is_no_push_is_dropped_and_counted(program: Path, agent: socket.socket, line: str) -> None:
    """A wrong name or value harms nothing: it is counted, and what follows is sent."""
    said = run(program, agent.getsockname(), script=f"{line}\ncount nlp.queries 1\ndropped\n")
    assert said[-1] == "1 errno 0"
    pushes = [push for datagram in datagrams(agent) for push in parse(datagram).pushes]
    assert pushes == [Add("nlp.queries", 1)]


def test_an_absent_agent_costs_nothing_but_the_pushes(program: Path) -> None:
    """Each push that nobody got is counted; errno is left alone."""
    said = run(program, GONE, script="count nlp.queries 1\nup nlp\nflush\njson asr a1\ndropped\n")
    assert said == ["opened 0", "-1", "3 errno 0"]


def test_a_full_queue_never_blocks(program: Path, agent: socket.socket) -> None:
    """With an agent that does not read, pushes are dropped and counted, and none is torn or lost unseen."""
    said = run(program, agent.getsockname(), script="count nlp.queries 1\nflush\n" * 5000 + "dropped\n")
    assert int(said[-1].split()[0]) + len(datagrams(agent)) == 5000


def test_a_restarted_agent_is_found_again(program: Path, tmp_path: Path) -> None:
    """A new socket in the place of the old one gets the next push, without reopening."""
    path = tmp_path / "v.sock"
    firmware = subprocess.Popen([program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert firmware.stdin is not None
    assert firmware.stdout is not None
    said = firmware.stdout
    assert said.readline() == "opened 0\n"
    for dropped in (0, 1):
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
            bound.bind(str(path))
            bound.settimeout(30)
            firmware.stdin.write("count nlp.queries 1\nflush\ndropped\n")
            firmware.stdin.flush()
            assert bound.recv(2000) == b"nlp.queries:1|c"
            assert said.readline().startswith(f"{dropped} ")
        firmware.stdin.write("count nlp.queries 1\nflush\ndropped\n")  # a stale socket refuses
        firmware.stdin.flush()
        assert said.readline().startswith(f"{dropped + 1} ")
    firmware.stdin.close()
    assert firmware.wait(30) == 0
    firmware.stdout.close()


def test_udp(program: Path) -> None:
    """The same by UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.settimeout(30)
        run(program, "127.0.0.1", str(bound.getsockname()[1]), script="up vision\n")
        assert bound.recv(2000) == b"vision.up:1|g"


@pytest.mark.parametrize(
    "where", [("x" * 108,), ("",), ("localhost", "8125"), ("127.0.0.1", "0"), ("127.0.0.1", "65536")]
)
def test_wrong_addresses_are_said_and_harm_nothing(program: Path, where: tuple[str, ...]) -> None:
    """Opening answers -1; pushes after that are dropped and counted."""
    assert run(program, *where, script="up vision\nflush\ndropped\n") == ["opened -1", "1 errno 0"]


def test_the_example_compiles(tmp_path: Path) -> None:
    """The example at the top of the header is real C."""
    comment = HEADER.read_text().split("*/")[0]
    lines = [line[3:] for line in comment.splitlines() if line.startswith(" *     ")]
    code = re.sub(r"//.*", "", "\n".join(lines))
    firmware = "void drive(void); int lost_its_place(void); int a_second_has_passed(void);\n"
    ends = "#include <stdlib.h>\nvoid drive(void) { exit(0); }\n"
    ends += "int lost_its_place(void) { return 0; }\nint a_second_has_passed(void) { return 0; }\n"
    source = tmp_path / "example.c"
    source.write_text(firmware + code + "\n" + ends)
    subprocess.run([compile_strictly("c99", source, tmp_path / "example")], check=True, timeout=30)
