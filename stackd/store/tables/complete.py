"""The metadata with every table in it, whoever has imported which table module before.

Migrations compare with it; databases in memory are made from it.
"""

import importlib
import pkgutil

from sqlalchemy import MetaData

from stackd.store import tables
from stackd.store.tables.base import metadata


def complete_metadata() -> MetaData:
    """Import all modules of this package, so that their tables are known, and give the metadata."""
    for module in pkgutil.iter_modules(tables.__path__):
        importlib.import_module(f"{tables.__name__}.{module.name}")
    return metadata
