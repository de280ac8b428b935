"""ASR: turns what people say into text."""

import sys

from firmware_stubs.behavior import Flow, Module, Part
from firmware_stubs.process import main

MODULE = Module(
    "asr",
    "json",
    counts=(
        Flow("utterances", per_minute=6, under={"silent_customer": 0}),
        Part("unrecognized", of="utterances", share=0.07, under={"speech_not_recognized": 0.6}),
        Part(
            "misrecognized",
            of="utterances",
            share=0.04,
            under={"speech_misrecognized": 0.45},
            besides=("unrecognized",),
        ),
    ),
)

if __name__ == "__main__":
    sys.exit(main(MODULE))
