"""Navigation: drives to goals, with a lidar, and knows where on its map it is."""

import sys

from firmware_stubs.behavior import Amount, Flow, Module, Part
from firmware_stubs.process import main

MODULE = Module(
    "navigation",
    "statsd",
    counts=(
        Flow("goals", per_minute=1.2, under={"silent_customer": 0}),
        Part("start_failures", of="goals", share=0.02, under={"navigation_start_failing": 0.6}),
        Part(
            "interruptions",
            of="goals",
            share=0.06,
            under={"navigation_interrupted": 0.65},
            besides=("start_failures",),
        ),
        Part(
            "other_failures",
            of="goals",
            share=0.02,
            under={"navigation_failing_otherwise": 0.5},
            besides=("start_failures", "interruptions"),
        ),
        Amount("distance_m", of="goals", mean=18, under={"navigation_start_failing": 7}),
        Flow("lidar_faults", per_minute=0.0002, under={"lidar_failing": 3}),
        Flow("localization_faults", per_minute=0.0008, under={"localization_failing": 4}),
        Flow("relocalization_faults", per_minute=0.0004, under={"relocalization_failing": 4}),
    ),
)

if __name__ == "__main__":
    sys.exit(main(MODULE))
