"""The link to the broker: what robots say comes in, receipts go out."""

from collector.mqtt.link import GOODBYE_S, Link

__all__ = ["GOODBYE_S", "Link"]
