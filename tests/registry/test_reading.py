"""Registry files: good rows become entries, and whatever is wrong is told by file and line, all at once."""

import pytest

from collector.registry import Contract, Customer, Kind, Site, Stage, Tier, joined, plan, read
from collector.registry.problems import _TEXTS
from collector.registry.reading import kind_of_file

YAML = """
customers:
- {id: 华景会展, tier: 战略, stage: renewal, csm: csm-zh, region: 华东, industry: exhibition_hall}
contracts:
- id: C-1
  customer: 华景会展
  begins_on: 2026-01-01
  ends_on: 2026-12-31
  amount: 120000.5
  currency: cny
  robots: 3
  renewed: no
sites:
- {id: 上海浦东馆, customer: 华景会展, tz: Asia/Shanghai,
   open_hours: "tu-su 09:00-17:30", holidays: 2026-10-01}
robots:
"""
RECORDS = (
    Customer("华景会展", Tier.STRATEGIC, Stage.RENEWAL, "csm-zh", "华东", "exhibition_hall"),
    Contract("C-1", "华景会展", "2026-01-01", "2026-12-31", 120000.5, "CNY", 3, False),
    Site("上海浦东馆", "华景会展", "Asia/Shanghai", "tu-su 09:00-17:30", "2026-10-01"),
)


def problems(text: str, source: str) -> list[tuple[int, str]]:
    """Line and reason of all that is wrong."""
    found = plan(read(text, source), {}).problems
    return [(problem.line, str(problem.error)) for problem in found]


def test_a_whole_registry_in_one_file() -> None:
    """Every kind has its list; a list without rows is no mistake; words come in either language."""
    planned = plan(read(YAML, "registry.yaml"), {})
    assert planned.problems == ()
    assert tuple(each.record for each in planned.differences) == RECORDS


def test_a_table_of_each_kind() -> None:
    """The file's name says what its rows are; a spreadsheet's dates and byte order mark are understood."""
    texts = {
        "customers.csv": "id,tier,stage,csm,region,industry\n"
        "华景会展,战略,续费,csm-zh,华东,exhibition_hall\n",
        "Contracts 2026.csv": "\ufeffid,customer,begins_on,ends_on,amount,currency,robots,renewed\r\n"
        "C-1,华景会展,2026/1/1,2026/12/31,120000.5,CNY,3,否\r\n",
        "sites.csv": "id,customer,tz,open_hours,holidays\n"
        "上海浦东馆,华景会展,Asia/Shanghai,tu-su 09:00-17:30,2026-10-01\n",
    }
    planned = plan(joined(read(text, name) for name, text in texts.items()), {})
    assert planned.problems == ()
    assert tuple(each.record for each in planned.differences) == RECORDS


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("customers.csv", Kind.CUSTOMER),
        ("/home/x/Contracts-2026.CSV", Kind.CONTRACT),
        ("C:\\files\\sites (1).csv", Kind.SITE),
        ("robots", Kind.ROBOT),
        ("robotsy.csv", None),
        ("my customers.csv", None),
    ],
)
def test_the_kind_by_the_files_name(name: str, kind: Kind | None) -> None:
    """It begins with the word for many of them."""
    assert kind_of_file(name) is kind


def test_every_bad_row_of_a_file_is_told() -> None:
    """With its line, the field and the value, and what would do; a row may have several."""
    rows = [
        "id,customer,begins_on,ends_on,amount,currency,robots,renewed",
        "C-1,ACME,2026-01-01,2026-12-31,1,CNY,1,yes",
        "C-1,ACME,2026-01-01,2026-12-31,1,CNY,1,yes",
        "C-2,ACME,2026-02-30,2026-12-31,minus,yuan,1.5,perhaps",
        "C-3,ACME,2026-12-31,2026-01-01,,,,",
        ",ACME,2026-01-01,2026-12-31,,,,",
        "C-4,,2026-01-01,,-1,,,",
        '"C-5","a\nb",2026-01-01,2026-12-31,,,,',
        "C-6,ACME,2026-01-01,,,,,",
        "C-7,ACME,2026-01-01,2026-12-31,,,,,more",
    ]
    assert problems("\n".join(rows), "contracts.csv") == [
        (3, "contract 'C-1' stands in the file twice; first at contracts.csv:2"),
        (4, "begins_on '2026-02-30' is no date; write YYYY-MM-DD"),
        (4, "amount 'minus' is no number from 0 up; write such as 120000 or 1200.50"),
        (4, "currency 'yuan' is no code of three letters such as CNY"),
        (4, "robots '1.5' is no whole number from 0 to 1,000,000"),
        (4, "renewed 'perhaps' is neither yes nor no"),
        (5, "ends_on 2026-01-01 is before begins_on 2026-12-31"),
        (6, "id '' cannot be used; write a name of 1 to 256 characters"),
        (7, "amount '-1' is no number from 0 up; write such as 120000 or 1200.50"),
        (8, "customer 'a\\nb' is no text of at most 256 characters"),
        (10, "ends_on is missing"),
        (11, "9 cells under 8 columns; put text with commas in quotes"),
    ]


@pytest.mark.parametrize(
    ("source", "text", "line", "reason"),
    [
        ("customers.csv", "id,tire\nx,key\n", 1, "customers have no 'tire'; did you mean tier?"),
        (
            "customers.csv",
            "id,shoe_size\nx,9\n",
            1,
            "customers have no 'shoe_size'; there are id, tier, stage",
        ),
        ("customers.csv", "name\nx\n", 1, "no column 'id'"),
        ("robots.csv", "id,Bad Name\nr1,x\n", 1, "'Bad Name' is no attribute's name"),
        ("file.csv", "id\nx\n", 0, "nothing says what its rows are"),
        ("file.txt", "id\nx\n", 0, "neither YAML nor CSV"),
        ("r.yaml", "customers: []\npeople: []\n", 2, "'people' is no part of a registry"),
        ("r.yaml", "customers: x\n", 1, "no list of customers"),
        ("r.yaml", "- id: x\n", 0, "nothing says what its rows are"),
        ("r.yaml", "customers:\n- {id: x, tire: key}\n", 2, "customers have no 'tire'"),
        (
            "r.yaml",
            "customers:\n- {id: x, tier: gold}\n",
            2,
            "tier 'gold' is none of strategic, key, standard",
        ),
        ("r.yaml", "customers:\n- {id: .., tier: key}\n", 2, "id '..' cannot be used"),
        ("r.yaml", 'customers:\n- {id: "a\\u0007b"}\n', 2, "cannot be used"),
        ("r.yaml", "sites:\n- {id: x, tz: Mars/Base}\n", 2, "tz 'Mars/Base' is no time zone"),
        (
            "r.yaml",
            "sites:\n- {id: x, open_hours: 9 to 5}\n",
            2,
            "'9 to 5' is no time; write such as 09:00-18:00",
        ),
        ("r.yaml", "sites:\n- {id: x, holidays: soon}\n", 2, "'soon' is no day; write such as 2026-10-01"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(source: str, text: str, line: int, reason: str) -> None:
    """The line, the value and what would do."""
    [(told_line, told)] = problems(text, source)
    assert (told_line, "\n" in told) == (line, False)
    assert reason in told


def test_every_problem_is_told_in_chinese_too() -> None:
    """Each message takes the same names in both languages, and says something different."""
    for key, text in _TEXTS.items():
        named = {part.partition("}")[0] for part in text.en.split("{")[1:]}
        said = {part.partition("}")[0] for part in text.zh.split("{")[1:]}
        assert said <= named | {"value"}, key
        assert text.en != text.zh
    [problem] = read("customers:\n- {id: x, tier: gold}\n", "r.yaml").problems
    assert problem.error.zh.startswith("tier 'gold' 不在可选值中")
