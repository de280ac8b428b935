"""The agent that runs on every robot."""

VERSION = "0.1.0"
