"""Engagement: the funnel from people who pass to conversations, and what the robot was used for."""

import sys

from firmware_stubs.behavior import Flow, Module, Part
from firmware_stubs.process import main

MODULE = Module(
    "engagement",
    "json",
    counts=(
        Flow("visitors", per_minute=8),
        Part("recruits", of="visitors", share=0.5, under={"silent_customer": 0}),
        Part("wakeups", of="recruits", share=0.8, under={"low_conversion": 0.35}),
        Part("interactions", of="wakeups", share=0.85, under={"low_conversion": 0.6}),
        Part("ratings", of="interactions", share=0.3),
        Part("satisfied_ratings", of="ratings", share=0.93, under={"low_satisfaction": 0.5}),
        Part("tours", of="interactions", share=0.06),
        Part("check_ins", of="interactions", share=0.05),
        Part("escorts", of="interactions", share=0.08),
        Part("deliveries", of="interactions", share=0.03),
        Part("narrations", of="interactions", share=0.12),
    ),
)

if __name__ == "__main__":
    sys.exit(main(MODULE))
