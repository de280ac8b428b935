"""The registry: customers, contracts, sites and robots, as files and people write them; no clock, no I/O.

`rows` finds the rows of a text, `checks` what their values may be, `reading` makes entries of them,
`differences` tells what these would change, and `writing` makes a text again.
"""

from collector.registry.differences import Difference, Plan, plan
from collector.registry.problems import Problem, RegistryError
from collector.registry.reading import Entry, Reading, joined, kind_of_file, read
from collector.registry.records import (
    FIELDS,
    Contract,
    Customer,
    Kind,
    Lifecycle,
    Record,
    RobotRecord,
    Site,
    Stage,
    Tier,
    Value,
    values,
)

__all__ = [
    "FIELDS",
    "Contract",
    "Customer",
    "Difference",
    "Entry",
    "Kind",
    "Lifecycle",
    "Plan",
    "Problem",
    "Reading",
    "Record",
    "RegistryError",
    "RobotRecord",
    "Site",
    "Stage",
    "Tier",
    "Value",
    "joined",
    "kind_of_file",
    "plan",
    "read",
    "values",
]
