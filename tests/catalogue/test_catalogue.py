"""The catalogue: what ships, what a vendor adds, and what a wrong file is answered."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.catalogue import CatalogueError, Label, Metric, load

HEAD = "schema: robovitals-catalogue/1\nsubsystems:\n"
ARM = """\
  arm:
    label: {en: Arm, zh: 机械臂}
    module: true
    counters:
      grasps: {unit: grasps, en: Grasps, zh: 抓取}
    gauges:
      load_kg: {unit: kg, en: Load, zh: 负载}
"""


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    return tmp_path / "vendor.yaml"


def test_every_subsystem_of_the_domain_is_there() -> None:
    """Seven subsystems and engagement are firmware modules; the robot's computer and the agent are not."""
    shipped = load()
    seven = ("network", "vision", "touchscreen", "navigation", "asr", "nlp", "tts")
    assert shipped.modules == (*seven, "engagement")
    assert set(shipped.subsystems) == {*shipped.modules, "system", "agent"}
    assert all(shipped[f"{module}.up"].kind == "gauge" for module in shipped.modules)
    assert "system.up" not in shipped


def test_metrics_are_what_their_names_say() -> None:
    """A metric knows its kind, unit, subsystem and labels; every label is there in both languages."""
    shipped = load()
    label = Label("Relocalization faults", "重定位异常")
    name = "navigation.relocalization_faults"
    assert shipped[name] == Metric(name, "counter", "faults", "navigation", label)
    assert shipped[name].short == "relocalization_faults"
    assert all(
        name == metric.name == f"{metric.subsystem}.{metric.short}" for name, metric in shipped.items()
    )
    assert all(metric.label.en and metric.label.zh for metric in shipped.values())
    assert set(shipped.counters) | set(shipped.gauges) == set(shipped)
    assert not set(shipped.counters) & set(shipped.gauges)
    assert len({metric.label.zh for metric in shipped.values()}) > 0.9 * len(shipped)


def test_a_vendor_adds_a_subsystem(vendor: Path) -> None:
    """A second file brings new metrics, after the shipped ones; a module of it has `up` too."""
    vendor.write_text(HEAD + ARM, encoding="utf-8")
    catalogue = load(vendor)
    assert list(catalogue)[-3:] == ["arm.up", "arm.grasps", "arm.load_kg"]
    assert catalogue["arm.up"].label == Label("Arm running", "机械臂在线")
    assert list(catalogue)[:-3] == list(load())
    assert catalogue.modules[-1] == "arm"


def test_a_vendor_adds_to_a_known_subsystem(vendor: Path) -> None:
    """Its metrics join the subsystem; the unit may be left out."""
    vendor.write_text(HEAD + "  vision:\n    counters:\n      qr_codes: {en: QR codes, zh: 二维码}\n")
    assert load(vendor)["vision.qr_codes"] == Metric(
        "vision.qr_codes", "counter", "", "vision", Label("QR codes", "二维码")
    )


def test_scalars_are_text_whatever_they_look_like(vendor: Path) -> None:
    """A label `No`, a unit `1` and a date stay what was written."""
    vendor.write_text(HEAD + "  vision:\n    counters:\n      odd: {unit: 1, en: No, zh: 2026-99-99}\n")
    metric = load(vendor)["vision.odd"]
    assert (metric.unit, metric.label) == ("1", Label("No", "2026-99-99"))


WRONG = {
    "empty": ("", "must begin with 'schema: robovitals-catalogue/1'"),
    "another schema": ("schema: robovitals-rules/1\n", "must begin with 'schema"),
    "a list": ("- schema\n", "must begin with 'schema"),
    "no YAML": ("schema: [\n", "vendor.yaml:2:1: no valid YAML"),
    "a control character": ("schema: \0", "no valid YAML"),
    "too deep": (HEAD + "  a: " + "[" * 5000, "nested too deeply"),
    "an alias to itself": (HEAD + "  a: &a {counters: *a}", "no valid YAML"),
    "no subsystems": ("schema: robovitals-catalogue/1\n", "'subsystems' must be a mapping"),
    "unknown key above": (
        HEAD + ARM + "metrics: {}\n",
        "unknown key 'metrics'; there are schema, subsystems",
    ),
    "unknown section": (HEAD + ARM.replace("gauges", "guages"), "arm: unknown key 'guages'"),
    "unknown field": (HEAD + ARM.replace("unit: kg", "units: kg"), "arm.load_kg: unknown key 'units'"),
    "third language": (HEAD + ARM.replace("en: Arm", "en: Arm, fr: Bras"), "arm: label: unknown key 'fr'"),
    "subsystem twice": (HEAD + ARM + ARM, ":10:3: no valid YAML: 'arm' comes twice"),
    "metric twice": (HEAD + ARM.replace("load_kg", "grasps"), "arm.grasps is already in the catalogue"),
    "metric twice in a section": (
        HEAD + ARM.replace("    gauges", "      grasps: {en: a, zh: b}\n    gauges"),
        "'grasps' comes twice",
    ),
    "shipped metric": (
        HEAD + "  vision: {counters: {face_errors: {en: a, zh: b}}}",
        "vision.face_errors is already in the catalogue",
    ),
    "own up": (HEAD + ARM.replace("load_kg", "up"), "arm.up is already in the catalogue"),
    "known label again": (
        HEAD + "  vision: {label: {en: a, zh: b}}",
        "vision: is already in the catalogue; give only 'counters' and 'gauges' of it",
    ),
    "no label": (
        HEAD + ARM.replace("    label: {en: Arm, zh: 机械臂}\n", ""),
        "arm: needs a label with 'en' and 'zh'",
    ),
    "one language": (HEAD + ARM.replace(", zh: 抓取", ""), "arm.grasps: needs a label"),
    "empty label": (HEAD + ARM.replace("zh: 抓取", "zh:"), "arm.grasps: needs a label"),
    "label of a list": (HEAD + ARM.replace("zh: 抓取", "zh: [a]"), "arm.grasps: needs a label"),
    "unit of a list": (HEAD + ARM.replace("unit: kg", "unit: [kg]"), "'unit' must be a word, not ['kg']"),
    "module maybe": (HEAD + ARM.replace("true", "maybe"), "'module' must be true or false, not 'maybe'"),
    "capital name": (HEAD + ARM.replace("grasps:", "Grasps:"), "'Grasps' is no name"),
    "dotted name": (HEAD + ARM.replace("grasps:", "arm.grasps:"), "'arm.grasps' is no name"),
    "number as name": (HEAD + ARM.replace("arm:", "5:"), "'5' is no name"),
    "merge key": (HEAD + ARM.replace("    module: true", "    <<: {module: true}"), "unknown key '<<'"),
    "counters as a list": (
        HEAD + ARM.split("    gauges")[0].replace("counters:\n", "counters: []\n    gauges:\n"),
        "'counters' must be a mapping",
    ),
    "empty counters": (HEAD + "  vision: {counters: }", "'counters' must be a mapping"),
    "metric as text": (HEAD + "  vision: {counters: {a: b}}", "'a' must be a mapping, not 'b'"),
    "list as key": (HEAD + "  ? [a]\n  : {}\n", "no valid YAML"),
    "too long": (HEAD + "#" * 300_000, "characters; 262144 are allowed"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_answered_in_a_line(vendor: Path, case: str) -> None:
    """One line, which names the file and the value."""
    text, says = WRONG[case]
    vendor.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError) as caught:
        load(vendor)
    message = str(caught.value)
    assert says in message
    assert message.startswith(str(vendor))
    assert "\n" not in message
    assert len(message) < 1000


def test_unreadable_files_are_named(tmp_path: Path, vendor: Path) -> None:
    """Missing, a folder, or not UTF-8."""
    for path in (vendor, tmp_path):
        with pytest.raises(CatalogueError, match="cannot be read"):
            load(path)
    vendor.write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogueError, match="cannot be read"):
        load(vendor)


@given(st.text(st.sampled_from("abc:{}[],&*!<>|?-#\n \t'\"%@`0.\\"), max_size=60))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_answered(vendor: Path, text: str) -> None:
    """No file makes anything but `CatalogueError`; an empty mapping is a catalogue that adds nothing."""
    vendor.write_text(HEAD + text, encoding="utf-8")
    with contextlib.suppress(CatalogueError):
        assert list(load(vendor)) == list(load())
