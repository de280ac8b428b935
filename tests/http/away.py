"""A store whose server is away, as the app meets it."""

from collector.stores import Delivery, Series, StoreError


class AwayStore:
    """Fails at every read that pages and API do."""

    def series(self, *_: object) -> Series:
        """Fails."""
        raise StoreError("influxdb at http://vault:8086:\n connection refused")

    def delivery(self, *_: object) -> Delivery:
        """Fails."""
        raise StoreError("influxdb at http://vault:8086:\n connection refused")
