"""Vision: recognizes the faces of people who stand before the robot."""

import sys

from firmware_stubs.behavior import Flow, Module, Part
from firmware_stubs.process import main

MODULE = Module(
    "vision",
    "json",
    counts=(
        Flow("face_attempts", per_minute=8),
        Part("faces_unrecognized", of="face_attempts", share=0.07, under={"faces_not_recognized": 0.6}),
        Part(
            "face_errors",
            of="face_attempts",
            share=0.015,
            under={"face_errors": 0.35},
            besides=("faces_unrecognized",),
        ),
    ),
)

if __name__ == "__main__":
    sys.exit(main(MODULE))
