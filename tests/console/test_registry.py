"""The pages of the registry: forms that work without scripts, and files that are looked at first."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from collector.http import app
from collector.http.services import Services
from collector.people import Person, Role
from collector.registry import Kind, read
from tests.browser import world
from tests.signing import csm, sign_in

HTML = {"Accept": "text/html", "Accept-Language": "en"}
YAML = """
customers:
- {id: ACME & Söhne, tier: key, stage: renewal, csm: csm-en, industry: retail}
- {id: 星夜 KTV, tier: long_tail, csm: csm-zh}
contracts:
- {id: C-1, customer: ACME & Söhne, begins_on: 2026-01-01, ends_on: 2026-12-20, amount: 96000, currency: EUR}
- {id: C-2, customer: 星夜 KTV, begins_on: 2025-11-01, ends_on: 2026-10-31}
sites:
- {id: Hall, customer: ACME & Söhne, tz: Europe/Berlin}
robots:
- {id: r1, name: <b>Uno</b>, site: Hall, floor: 3, code: "007"}
"""


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """A collector with a small registry."""
    built = world.opened(tmp_path)
    registry = built.services.relational.registry
    assert registry.import_(read(YAML, "registry.yaml"), "command", built.now).done
    yield built.services
    world.close(built)


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    """An admin's browser."""
    with TestClient(app.create(services), headers=HTML) as opened:
        yield sign_in(opened, services)


def field(text: str, name: str) -> str:
    """What stands in a hidden field of a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', text)
    assert found is not None
    return found[1]


def test_every_kind_has_its_table(client: TestClient) -> None:
    """With how long contracts still run, on the customer's own calendar."""
    assert client.get("/registry").url.path == "/registry/customers"
    customers = client.get("/registry/customers").text
    assert "ACME &amp; Söhne" in customers
    assert "30 days left" in customers
    contracts = client.get("/registry/contracts").text
    assert "over for 20 days" in contracts
    assert contracts.index("C-2") < contracts.index("C-1")
    assert "Europe/Berlin" in client.get("/registry/sites").text
    assert "&lt;b&gt;Uno&lt;/b&gt;" in client.get("/registry/robots").text
    assert client.get("/registry/people").status_code == 404


def test_lists_are_searched_and_filtered(client: TestClient) -> None:
    """A filter that makes no sense is left out; nothing found is said so."""
    assert "星夜" not in client.get("/registry/customers?q=acme&tier=key&stage=bogus").text
    assert "Nothing fits" in client.get("/registry/customers?q=nobody").text
    assert "C-1" in client.get("/registry/contracts?after=nonsense").text


def test_a_record_is_changed_by_a_plain_form(client: TestClient, services: Services) -> None:
    """And the change stands in its history, in words."""
    page = client.get("/registry/customers/edit", params={"id": "ACME & Söhne"})
    form = {"id": "ACME & Söhne", "revision": field(page.text, "revision"), "tier": "strategic",
            "stage": "renewal", "csm": "csm-en", "industry": "Retail", "note": "a\r\nb"}  # fmt: skip
    answer = client.post("/registry/customers/edit", data=form)
    assert answer.url.query == b"id=ACME+%26+S%C3%B6hne&saved=1"
    assert "<s>Key</s> → Strategic" in answer.text
    found = services.relational.registry.customer("ACME & Söhne")
    assert found is not None
    assert (found.tier, found.industry, found.note, found.revision) == ("strategic", "retail", "a\nb", 2)


def test_a_robots_own_attributes_are_lines(client: TestClient, services: Services) -> None:
    """A text that looks like a number stays one."""
    page = client.get("/registry/robots/edit?id=r1").text
    assert "code: &#39;007\nfloor: 3" in page
    form = {
        "id": "r1",
        "revision": "1",
        "lifecycle": "live",
        "site": "Hall",
        "extra": "code: '008\nwing: east",
    }
    client.post("/registry/robots/edit", data=form)
    record = services.relational.robot("r1")
    assert record is not None
    assert (record.extra, record.name) == ({"code": "008", "wing": "east"}, "<b>Uno</b>")
    refused = client.post("/registry/robots/edit", data=form | {"revision": "2", "extra": "nonsense"})
    assert (refused.status_code, "Write one attribute a line" in refused.text) == (422, True)


def test_what_cannot_be_taken_comes_back(client: TestClient, services: Services) -> None:
    """With the reason beside the field, in the reader's language, and everything that was written."""
    form = {
        "id": "C-9",
        "revision": "0",
        "customer": "ACME",
        "begins_on": "2026-01-01",
        "ends_on": "2025-01-01",
    }
    answer = client.post("/registry/contracts/edit?lang=zh", data=form)
    assert answer.status_code == 422
    assert "ends_on 2025-01-01 早于 begins_on 2026-01-01" in answer.text
    assert 'value="C-9"' in answer.text
    assert services.relational.registry.contract("C-9") is None


def test_the_second_editor_is_told_of_the_first(client: TestClient, services: Services) -> None:
    """Who, and what stands there now; what was written is kept, and saving again has it so."""
    registry = services.relational.registry
    changed = {"region": "North", "open_hours": "24/7"}
    registry.edit(Kind.SITE, "Hall", changed, "mei", services.clock() - 60_000)
    form = {"id": "Hall", "revision": "1", "tz": "UTC", "region": "South", "open_hours": ""}
    late = client.post("/registry/sites/edit", data=form)
    assert late.status_code == 409
    assert "李梅 changed this 1 min ago" in late.text
    assert "is now: North" in late.text
    assert 'value="South"' in late.text
    assert field(late.text, "open_hours") == "24/7", "what the second left as it was is as the first made it"
    again = {"revision": field(late.text, "revision"), "open_hours": "24/7"}
    client.post("/registry/sites/edit", data=form | again)
    site = registry.site("Hall")
    assert site is not None
    assert (site.region, site.tz, site.open_hours) == ("South", "UTC", "24/7")


def test_a_record_is_removed(client: TestClient, services: Services) -> None:
    """With what refers to it left as it is; a robot cannot be."""
    answer = client.post("/registry/contracts/remove", data={"id": "C-2", "revision": "1"})
    assert "was removed" in answer.text
    assert services.relational.registry.contract("C-2") is None
    assert client.post("/registry/contracts/remove", data={"id": "C-2", "revision": "1"}).status_code == 404
    assert client.post("/registry/robots/remove", data={"id": "r1", "revision": "1"}).status_code == 404
    assert client.post("/registry/sites/remove", data={"id": "Hall", "revision": "7"}).status_code == 409


def test_a_file_is_looked_at_before_it_is_taken_in(client: TestClient, services: Services) -> None:
    """The second step carries the file along, and does what was seen."""
    data = "id,tier,stage\nNew,key,launch\n星夜 KTV,standard,\n".encode("utf-8-sig")
    seen = client.post("/registry/import", files={"file": ("customers.csv", data)})
    assert "<s>Long tail</s> → Standard" in seen.text
    assert services.relational.registry.customer("New") is None
    kept = {name: field(seen.text, name) for name in ("name", "kind", "kept", "digest")}
    assert base64.b64decode(kept["kept"]) == data
    done = client.post("/registry/import", data=kept, files={"none": ("", b"")})
    assert "Imported" in done.text
    assert services.relational.registry.customer("New") is not None


def test_what_has_changed_since_the_look_is_shown_again(client: TestClient, services: Services) -> None:
    """And not done."""
    data = b"id,tier\nNew,key\n"
    seen = client.post("/registry/import", files={"file": ("customers.csv", data)})
    services.relational.registry.edit(Kind.CUSTOMER, "New", {"tier": "standard"}, "adam", services.clock())
    kept = {name: field(seen.text, name) for name in ("name", "kind", "kept", "digest")}
    late = client.post("/registry/import", data=kept, files={"none": ("", b"")})
    assert late.status_code == 409
    assert "<s>Standard</s> → Key" in late.text


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("customers.csv", b"id,tier\nx,gold\ny,key\n", "customers.csv:2"),
        ("customers.csv", "id,note\nx,中文\n".encode("gbk"), "不是 UTF-8"),
        ("file.xlsx", b"PK", "既不是 YAML 也不是 CSV"),
        ("customers.csv", b"id,tire\nx,key\n", "是否应为 tier"),
        ("", b"", "请先选择文件"),
    ],
)
def test_a_file_that_cannot_be_used(client: TestClient, name: str, data: bytes, said: str) -> None:
    """Every bad row with its line, in the reader's language; rows can be left out, a whole file cannot."""
    answer = client.post("/registry/import?lang=zh", files={"file": (name, data)})
    assert said in answer.text
    assert ('name="skip_bad"' in answer.text) is (b"gold" in data)


def test_the_registry_is_written_out(client: TestClient) -> None:
    """Everything as YAML, or a table for a spreadsheet."""
    whole = client.get("/registry/export/registry.yaml")
    assert whole.headers["content-disposition"] == 'attachment; filename="registry.yaml"'
    assert read(whole.text, "registry.yaml").problems == ()
    table = client.get("/registry/export/robots.csv").content.decode("utf-8")
    assert table.startswith("\ufeffid,lifecycle")
    assert client.get("/registry/export/people.csv").status_code == 404


def test_who_may_not_change_it_may_look(client: TestClient, services: Services) -> None:
    """Without a button to save, and refused if sent all the same."""
    sign_in(client, services, Person("ines", "Ines", Role.INSTALLER))
    page = client.get("/registry/customers/edit", params={"id": "星夜 KTV"}).text
    assert "You may look at this" in page
    assert "Save" not in page
    form = {"id": "星夜 KTV", "revision": "1", "tier": "key"}
    assert client.post("/registry/customers/edit", data=form).status_code == 403
    assert client.post("/registry/import", files={"file": ("customers.csv", b"id\nx\n")}).status_code == 403


def test_who_sees_its_own_customers_only(client: TestClient, services: Services) -> None:
    """On lists, forms and in files."""
    sign_in(client, services, csm("csm-zh", own=True))
    assert "ACME" not in client.get("/registry/customers").text
    assert client.get("/registry/customers/edit", params={"id": "ACME & Söhne"}).status_code == 404
    assert "ACME" not in client.get("/registry/contracts/new").text
    assert "ACME" not in client.get("/registry/export/registry.yaml").text
