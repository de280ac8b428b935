"""Touchscreen: touches, and the commands that they give."""

import sys

from firmware_stubs.behavior import Flow, Module, Part
from firmware_stubs.process import main

MODULE = Module(
    "touchscreen",
    "statsd",
    counts=(
        Flow("touches", per_minute=5, under={"silent_customer": 0}),
        Part("touches_unanswered", of="touches", share=0.02, under={"touches_unanswered": 0.45}),
        Part(
            "wrong_commands",
            of="touches",
            share=0.01,
            under={"wrong_commands": 0.3},
            besides=("touches_unanswered",),
        ),
    ),
)

if __name__ == "__main__":
    sys.exit(main(MODULE))
