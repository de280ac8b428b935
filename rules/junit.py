"""The outcome of rule tests as JUnit XML, which build servers read.

A suite is a test file, a case is a test. The form is the one that Jenkins, GitLab and GitHub understand:
https://github.com/testmoapp/junitxml
"""

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree as Xml

from rules.testing import Result

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(path: Path, results: Sequence[Result]) -> None:
    """Writes a report; results of one file stand together. Raises `OSError`."""
    root = Xml.Element("testsuites", {"name": "vitals-rules", **_counts(results)})
    for file, of_file in groupby(results, key=_file):
        _suite(root, file, list(of_file))
    Xml.indent(root)
    Xml.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _suite(root: Xml.Element, file: str, results: Sequence[Result]) -> None:
    suite = Xml.SubElement(root, "testsuite", {"name": _clean(file), **_counts(results)})
    for result in results:
        line = result.scenario.place.rpartition(":")[2]
        name = _clean(result.scenario.name)
        case = Xml.SubElement(
            suite, "testcase", classname=_clean(file), name=name, file=_clean(file), line=line
        )
        for failure in result.failures[:1]:
            message = _clean(f"expected {failure.expected}, got {failure.got}")
            text = _clean("\n".join(map(str, result.failures)))
            Xml.SubElement(case, "failure", type="expectation", message=message).text = text


def _counts(results: Sequence[Result]) -> dict[str, str]:
    failures = sum(bool(result.failures) for result in results)
    return {"tests": str(len(results)), "failures": str(failures), "errors": "0", "skipped": "0"}


def _file(result: Result) -> str:
    return result.scenario.place.rpartition(":")[0]


def _clean(text: str) -> str:
    """Without characters that XML cannot hold."""
    return _NO_XML.sub("�", text)
