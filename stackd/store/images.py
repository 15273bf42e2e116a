"""Images in SQL: rows to records, lists by key, and the guarded steps of their life.

The image service calls it inside its transactions. Rows of deleted images stay, so that an id is never used twice.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, exists, func, insert, or_, select, update

from stackd import errors
from stackd.model import ids, kinds
from stackd.model.images import Image, ImageQuery, ImageStatus, MemberStatus, StoredBytes, Visibility
from stackd.model.paging import Page
from stackd.store.database import Transaction
from stackd.store.tables.images import image_members, image_properties, image_tags, images

_PLAIN = ("id", "owner", "name", "disk_format", "container_format", "size", "virtual_size", "checksum", "hash_value",
          "min_disk", "min_ram", "protected", "hidden", "created_at", "updated_at", "deleted_at")
_CHANGING = ("owner", "name", "disk_format", "container_format", "min_disk", "min_ram", "protected", "hidden")
_COMPARE = {"gt": "__gt__", "gte": "__ge__", "lt": "__lt__", "lte": "__le__", "eq": "__eq__", "neq": "__ne__"}
_FILTERS = (("ids", "id"), ("names", "name"), ("statuses", "status"), ("disk_formats", "disk_format"),
            ("container_formats", "container_format"), ("checksums", "checksum"), ("owners", "owner"))
_CHUNK = 500
_PAGE_WEIGHT = 1_200_000
"""Characters of a page. JSON takes up to six bytes for one, and a page is to fit into one message of the bus."""
_ROW_WEIGHT = 600
"""Of an image without name, properties and tags."""


def add(tx: Transaction, image: Image) -> None:
    """Insert one; raises ``AlreadyExists`` when its id, or the prefix that EC2 shows, is taken."""
    prefix = image.id[:ids.EC2_DIGITS]
    if tx.execute(select(images.c.id).where(images.c.prefix == prefix)).first():
        raise errors.AlreadyExists(kinds.IMAGE, ids.dashed(image.id), remedy="Choose another id, or none.")
    tx.execute(insert(images).values(
        **{name: getattr(image, name) for name in _PLAIN}, prefix=prefix,
        status=image.status.value, visibility=image.visibility.value))
    _add_extras(tx, image)


def save(tx: Transaction, image: Image) -> None:
    """Write what users may change; the steps of its life have functions of their own."""
    tx.execute(update(images).where(images.c.id == image.id).values(
        **{name: getattr(image, name) for name in _CHANGING}, visibility=image.visibility.value, updated_at=tx.now))
    for table in (image_properties, image_tags):
        tx.execute(delete(table).where(table.c.image_id == image.id))
    _add_extras(tx, image)


def by_id(tx: Transaction, id: str, lock: bool = False) -> Image | None:
    """One that is not deleted; ``lock`` it to change it."""
    statement = select(images).where(images.c.id == id, images.c.deleted_at.is_(None))
    row = tx.execute(statement.with_for_update() if lock else statement).first()
    return None if row is None else _records(tx, [row])[0]


def in_range(tx: Transaction, low: str, high: str) -> Image | None:
    """The one with an id within [low, high] that is not deleted."""
    row = tx.execute(select(images).where(images.c.id.between(low, high), images.c.deleted_at.is_(None))).first()
    return None if row is None else _records(tx, [row])[0]


def page(tx: Transaction, viewer: str | None, query: ImageQuery) -> Page[Image]:
    """Images that project ``viewer`` (None: an admin) may see; raises ``InvalidMarker``.

    Fewer than ``query.limit``, and ``more``, when these are all that fit into a message.
    """
    conditions = [images.c.deleted_at.is_(None), *_wanted(query)]
    if viewer is not None:
        conditions.append(_seen_by(viewer, query.member_status))
    if query.visibility is None and not query.community:
        conditions.append(or_(images.c.visibility != Visibility.COMMUNITY.value, images.c.owner == (viewer or "")))
    order = [(_sortable(key), descending) for key, descending in _complete(query.sort)]
    if query.marker is not None:
        conditions.append(_after(tx, query.marker, order))
    rows = tx.execute(select(images).where(*conditions).limit(query.limit + 1).order_by(
        *(column.desc() if descending else column.asc() for column, descending in order))).all()
    count = _fitting(tx, rows[:query.limit])
    return Page(tuple(_records(tx, rows[:count])), more=len(rows) > count)


def _fitting(tx: Transaction, rows: Sequence[Row[Any]]) -> int:
    """How many rows are a page, at least one; the database adds up what users wrote, before any of it is read."""
    weights = {row.id: _ROW_WEIGHT + len(row.name) for row in rows}
    properties, tags = image_properties.c, image_tags.c
    for part in _parts(list(weights)):
        for id, length in ((properties.image_id, func.length(properties.name) + func.length(properties.value)),
                           (tags.image_id, func.length(tags.tag))):
            for found in tx.execute(select(id, func.sum(length)).where(id.in_(part)).group_by(id)):
                weights[found[0]] += int(found[1])
    sums = list(accumulate(weights.values()))
    return max(bisect_right(sums, _PAGE_WEIGHT), min(1, len(rows)))


def begin_upload(tx: Transaction, id: str, key: str) -> bool:
    """QUEUED to SAVING under ``key``; False when it is not QUEUED."""
    return _step(tx, id, ImageStatus.QUEUED, status=ImageStatus.SAVING.value, upload=key, progress_at=tx.now)


def still_uploading(tx: Transaction, id: str, key: str) -> bool:
    """Note that the upload under ``key`` lives; False when it is no longer wanted."""
    return _step(tx, id, ImageStatus.SAVING, key, progress_at=tx.now)


def finish_upload(tx: Transaction, id: str, key: str, stored: StoredBytes) -> bool:
    """SAVING to ACTIVE with the bytes under ``key``; False when that upload is no longer wanted."""
    return _step(tx, id, ImageStatus.SAVING, key, status=ImageStatus.ACTIVE.value, upload="", stored=key,
                 size=stored.size, virtual_size=stored.virtual_size, checksum=stored.checksum,
                 hash_value=stored.hash_value, updated_at=tx.now)


def give_up_upload(tx: Transaction, id: str, key: str) -> bool:
    """SAVING back to QUEUED; False when the upload under ``key`` was no longer wanted."""
    return _step(tx, id, ImageStatus.SAVING, key, status=ImageStatus.QUEUED.value, upload="")


def move(tx: Transaction, id: str, before: ImageStatus, after: ImageStatus) -> bool:
    """From one status to another; False when it was not in the first."""
    return _step(tx, id, before, status=after.value, updated_at=tx.now)


def mark_deleted(tx: Transaction, id: str) -> None:
    """DELETED for everybody; its bytes stay until they are swept."""
    tx.execute(update(images).where(images.c.id == id).values(
        status=ImageStatus.DELETED.value, deleted_at=tx.now, updated_at=tx.now, upload=""))
    tx.execute(delete(image_members).where(image_members.c.image_id == id))


def located(tx: Transaction, id: str) -> tuple[Image, str] | None:
    """The image and the key of its bytes, also when it was deleted but not swept; None when there are none."""
    row = tx.execute(select(images).where(images.c.id == id, images.c.stored != "")).first()
    return None if row is None else (_records(tx, [row])[0], row.stored)


def stalled_uploads(tx: Transaction, before: float) -> tuple[tuple[str, str], ...]:
    """(id, key) of uploads that made no progress since ``before``."""
    return tuple((row.id, row.upload) for row in tx.execute(select(images.c.id, images.c.upload).where(
        images.c.status == ImageStatus.SAVING.value, images.c.progress_at < before)))


def doomed(tx: Transaction, before: float, limit: int = _CHUNK) -> tuple[tuple[str, str], ...]:
    """(id, key) of images deleted before ``before`` whose bytes are still there, longest ago first."""
    return tuple((row.id, row.stored) for row in tx.execute(select(images.c.id, images.c.stored).where(
        images.c.deleted_at < before, images.c.stored != "").order_by(images.c.deleted_at).limit(limit)))


def forget_bytes(tx: Transaction, id: str) -> None:
    """The bytes of a deleted image were removed."""
    tx.execute(update(images).where(images.c.id == id, images.c.deleted_at.is_not(None)).values(stored=""))


def keys_in_use(tx: Transaction, keys: Sequence[str]) -> set[str]:
    """Those of ``keys`` that belong to a row, complete or being written."""
    used: set[str] = set()
    for start in range(0, len(keys), _CHUNK):
        part = keys[start:start + _CHUNK]
        for row in tx.execute(select(images.c.upload, images.c.stored).where(
                or_(images.c.upload.in_(part), images.c.stored.in_(part)))):
            used |= {row.upload, row.stored}
    return used


def _step(tx: Transaction, id: str, present: ImageStatus, key: str | None = None, **values: Any) -> bool:
    guards = [images.c.id == id, images.c.status == present.value, images.c.deleted_at.is_(None)]
    if key is not None:
        guards.append(images.c.upload == key)
    return tx.execute(update(images).where(*guards).values(**values)).rowcount == 1


def _add_extras(tx: Transaction, image: Image) -> None:
    if image.properties:
        tx.execute(insert(image_properties), [{"image_id": image.id, "name": name, "value": value}
                                              for name, value in image.properties.items()])
    if image.tags:
        tx.execute(insert(image_tags), [{"image_id": image.id, "tag": tag} for tag in dict.fromkeys(image.tags)])


def _records(tx: Transaction, rows: Sequence[Row[Any]]) -> list[Image]:
    properties: dict[str, dict[str, str]] = {row.id: {} for row in rows}
    tags: dict[str, list[str]] = {row.id: [] for row in rows}
    for part in _parts(list(properties)):
        for found in tx.execute(select(image_properties).where(image_properties.c.image_id.in_(part))):
            properties[found.image_id][found.name] = found.value
        for found in tx.execute(select(image_tags).where(image_tags.c.image_id.in_(part)).order_by(image_tags.c.tag)):
            tags[found.image_id].append(found.tag)
    return [Image(**{name: getattr(row, name) for name in _PLAIN}, status=ImageStatus(row.status),
                  visibility=Visibility(row.visibility), properties=properties[row.id], tags=tuple(tags[row.id]))
            for row in rows]


def _parts(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    return (keys[start:start + _CHUNK] for start in range(0, len(keys), _CHUNK))


def _seen_by(project: str, member_status: MemberStatus | None) -> ColumnElement[bool]:
    shared = [image_members.c.image_id == images.c.id, image_members.c.member == project]
    if member_status is not None:
        shared.append(image_members.c.status == member_status.value)
    return or_(images.c.owner == project,
               images.c.visibility.in_((Visibility.PUBLIC.value, Visibility.COMMUNITY.value)),
               and_(images.c.visibility == Visibility.SHARED.value, exists().where(*shared)))


def _wanted(query: ImageQuery) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = [images.c[column].in_(getattr(query, attribute))
                                         for attribute, column in _FILTERS if getattr(query, attribute)]
    if query.id_from is not None:
        wanted.append(images.c.id >= query.id_from)
    if query.id_to is not None:
        wanted.append(images.c.id <= query.id_to)
    if query.visibility is not None:
        wanted.append(images.c.visibility == query.visibility.value)
    if query.protected is not None:
        wanted.append(images.c.protected == query.protected)
    if query.hidden is not None:
        wanted.append(images.c.hidden == query.hidden)
    if query.size_min is not None:
        wanted.append(images.c.size >= query.size_min)
    if query.size_max is not None:
        wanted.append(images.c.size <= query.size_max)
    wanted += [getattr(images.c[column], _COMPARE[operator])(moment) for column, operator, moment in query.times]
    wanted += [exists().where(image_tags.c.image_id == images.c.id, image_tags.c.tag == tag) for tag in query.tags]
    wanted += [exists().where(image_properties.c.image_id == images.c.id, image_properties.c.name == name,
                              image_properties.c.value == value) for name, value in query.properties.items()]
    return wanted


def _complete(sort: tuple[tuple[str, bool], ...]) -> tuple[tuple[str, bool], ...]:
    # The id at the end makes the order total, so that a marker is a place in it.
    return sort if any(key == "id" for key, _ in sort) else (*sort, ("id", sort[-1][1] if sort else True))


def _sortable(key: str) -> ColumnElement[Any]:
    column = images.c[key]
    if not column.nullable:
        return column
    # NULL has no place of its own in comparisons: it sorts below all values.
    return func.coalesce(column, -1 if key == "size" else "")


def _after(tx: Transaction, marker: str, order: list[tuple[ColumnElement[Any], bool]]) -> ColumnElement[bool]:
    row = tx.execute(select(*(column for column, _ in order)).where(
        images.c.id == marker, images.c.deleted_at.is_(None))).first()
    if row is None:
        raise errors.InvalidMarker(f"Marker {ids.dashed(marker)} names no image.")
    alternatives = []
    for index, (column, descending) in enumerate(order):
        equal = [earlier == row[place] for place, (earlier, _) in enumerate(order[:index])]
        beyond = column < row[index] if descending else column > row[index]
        alternatives.append(and_(*equal, beyond))
    return or_(*alternatives)
