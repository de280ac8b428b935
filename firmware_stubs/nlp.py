"""NLP: understands what was recognized, and handles it."""

import sys

from firmware_stubs.behavior import Flow, Module, Part
from firmware_stubs.process import main

MODULE = Module(
    "nlp",
    "statsd",
    counts=(
        Flow("queries", per_minute=5.5, under={"silent_customer": 0}),
        Part("unhandled", of="queries", share=0.08, under={"queries_not_handled": 0.6}),
        Part(
            "mishandled",
            of="queries",
            share=0.04,
            under={"queries_mishandled": 0.45},
            besides=("unhandled",),
        ),
    ),
)

if __name__ == "__main__":
    sys.exit(main(MODULE))
