"""The registry of the simulated fleet: what a collector takes in, with something for a CSM to do."""

from datetime import date

import pytest

from collector.registry import Contract, Customer, Record, RobotRecord, Site, plan, read
from rules.intervals import parse_open_hours
from simulator.fleet import robots
from simulator.profiles import PROFILES
from simulator.registry import CSM_CHINA, CSM_ELSEWHERE, open_hours, registry_yaml

TODAY = date(2026, 11, 29)


def taken(count: int) -> list[Record]:
    """The records that a collector makes of the file."""
    planned = plan(read(registry_yaml(robots(count), TODAY), "registry.yaml"), {})
    assert planned.problems == ()
    return [difference.record for difference in planned.differences]


@pytest.mark.parametrize("count", [1, 20, 120])
def test_a_collector_takes_it_in(count: int) -> None:
    """Whole, with every name that a robot says."""
    records = taken(count)
    found = {kind: [each for each in records if type(each) is kind] for kind in (Customer, Contract, Site)}
    fleet = [each for each in records if isinstance(each, RobotRecord)]
    assert len(fleet) == count
    assert {robot.customer for robot in fleet} == {customer.id for customer in found[Customer]}
    assert {robot.site for robot in fleet} == {site.id for site in found[Site]}
    assert len(found[Contract]) == len(found[Customer])


def test_contracts_end_soon_and_late_and_one_is_over() -> None:
    """Several within sixty days, several beyond, and one that nobody renewed."""
    days = [
        each.days_left(TODAY) for each in taken(60) if isinstance(each, Contract) and each.renewed is None
    ]
    assert len([each for each in days if 5 <= each <= 60]) >= 5
    assert len([each for each in days if each > 60]) >= 5
    assert len([each for each in days if each < 0]) == 1


def test_two_csms_share_the_customers() -> None:
    """One has those in China, the other all others; and customers are of every tier and most stages."""
    customers = [each for each in taken(60) if isinstance(each, Customer)]
    zones = {each.customer: each.tz for each in taken(60) if isinstance(each, Site)}
    for customer in customers:
        assert customer.csm == (CSM_CHINA if zones[customer.id] == "Asia/Shanghai" else CSM_ELSEWHERE)
    assert len({customer.tier for customer in customers}) == 4
    assert len({customer.stage for customer in customers}) == 7
    assert len({customer.region for customer in customers}) >= 6


@pytest.mark.parametrize("industry", sorted(PROFILES))
def test_sites_are_open_when_their_robots_work(industry: str) -> None:
    """For as many hours a week as the industry's profile says."""
    hours = PROFILES[industry].hours
    minutes = sum(
        len(spans.weekdays) * sum(until - since for since, until in spans.times or ((0, 1440),))
        for spans in parse_open_hours(open_hours(industry))
    )
    assert minutes == 60 * (hours.closes - hours.opens) * sum(weight > 0 for weight in hours.week)
