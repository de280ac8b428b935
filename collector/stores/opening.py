"""The store that `--store` names, opened on a data folder."""

import os
import secrets
import time
from pathlib import Path
from typing import Final

from agent.catalogue import Catalogue
from collector.stores import Store, StoreError
from collector.stores.address import StoreAddress, StoreAddressError, influx_token
from collector.stores.ledger import Ledger
from collector.stores.server import Server

DUCKDB: Final = "samples.duckdb"
LEDGERS: Final = {"victoriametrics": "victoriametrics.ledger", "influxdb": "influxdb.ledger"}


def open_store(address: StoreAddress, folder: Path, catalogue: Catalogue) -> Store:
    """Opens it. Raises `StoreError`, and `StoreAddressError` for a folder begun with another kind."""
    _refuse_other(address, folder)
    if address.kind == "duckdb":
        from collector.stores.duckdb import DuckStore

        return DuckStore(folder / DUCKDB, catalogue)
    return _line_store(address, folder, catalogue)


def begun_with(folder: Path) -> str | None:
    """The kind of store that a data folder was begun with; None: with none yet."""
    files = {"duckdb": DUCKDB, **LEDGERS}
    return next((kind for kind, file in files.items() if (folder / file).exists()), None)


def _refuse_other(address: StoreAddress, folder: Path) -> None:
    if (begun := begun_with(folder)) not in (None, address.kind):
        raise StoreAddressError(
            f"{folder}: was begun with --store {begun}, not {address.kind}; give that one, or another --data"
        )


def _line_store(address: StoreAddress, folder: Path, catalogue: Catalogue) -> Store:
    from collector.stores.linestore import LineStore

    server = _server(address)
    try:
        server.status()  # before there is a ledger: a folder is not begun with a store that nobody reached
        ledger = Ledger(folder / LEDGERS[address.kind], catalogue, secrets.token_hex(4))
        try:
            return LineStore(server, ledger, catalogue, lambda: time.time_ns() // 1_000_000)
        except BaseException:
            ledger.close()
            raise
    except BaseException:
        server.close()
        raise


def _server(address: StoreAddress) -> Server:
    try:
        from collector.stores.influxdb import InfluxDB
        from collector.stores.linewriter import Place
        from collector.stores.victoriametrics import VictoriaMetrics
    except ModuleNotFoundError as error:
        raise StoreError(
            f"--store {address.kind} needs {error.name}; install robovitals[collector]"
        ) from None
    if address.kind == "influxdb":
        place = Place(address.url, str(address), token=influx_token(os.environ))
        return InfluxDB(place, address.org, address.bucket)
    return VictoriaMetrics(Place(address.url, str(address), user=address.user, password=address.password))
