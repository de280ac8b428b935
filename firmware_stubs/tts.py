"""TTS: speaks."""

import sys

from firmware_stubs.behavior import Flow, Module, Part
from firmware_stubs.process import main

MODULE = Module(
    "tts",
    "json",
    counts=(
        Flow("utterances", per_minute=7, under={"silent_customer": 0.2}),
        Part("unplayed", of="utterances", share=0.01, under={"speech_not_played": 0.4}),
        Part(
            "misplayed",
            of="utterances",
            share=0.01,
            under={"speech_misplayed": 0.35},
            besides=("unplayed",),
        ),
    ),
)

if __name__ == "__main__":
    sys.exit(main(MODULE))
