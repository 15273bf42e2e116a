"""Which images the instances still need: those of launches whose guest never ran yet. The image sweep asks it."""

from collections.abc import Collection

import orjson
from sqlalchemy import select

from stackd.model import wire
from stackd.model.images import ImageSnapshot
from stackd.store.database import Transaction
from stackd.store.tables.instances import instances


def needed(tx: Transaction, image_ids: Collection[str]) -> set[str]:
    """Those of ``image_ids`` that an unbuilt instance boots from, as disk, kernel or ramdisk."""
    waiting = tx.execute(select(instances.c.image).distinct().where(
        instances.c.ended_at.is_(None), instances.c.launched_at.is_(None))).scalars()
    wanted: set[str] = set()
    for text in waiting:
        snapshot = wire.load(ImageSnapshot, orjson.loads(text))
        wanted |= {file.id for file in (snapshot.disk, snapshot.kernel, snapshot.ramdisk) if file is not None}
    return wanted & set(image_ids)
