"""Network: the Wi-Fi and 4G driver. The agent measures its own connection besides."""

import sys

from firmware_stubs.behavior import Amount, Flow, Level, Module, Part
from firmware_stubs.process import main

MODULE = Module(
    "network",
    "statsd",
    counts=(
        Flow("disconnects", per_minute=0.002, under={"network_unstable": 1.5}),
        Amount("connect_attempts", of="disconnects", mean=1.3, under={"network_unstable": 3.0}),
        Part("connect_failures", of="connect_attempts", share=0.2, under={"network_unstable": 0.6}),
        Amount("offline_seconds", of="disconnects", mean=8, under={"network_unstable": 20}),
    ),
    levels=(Level("signal_dbm", middle=-56, spread=2, under={"network_unstable": -84}),),
)

if __name__ == "__main__":
    sys.exit(main(MODULE))
