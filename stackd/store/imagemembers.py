"""The projects that shared images were shared with, in SQL; the image service calls it inside its transactions."""

from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from stackd.model.images import ImageMember, MemberStatus
from stackd.store.database import Transaction
from stackd.store.tables.images import image_members as members


def of_image(tx: Transaction, image_id: str) -> tuple[ImageMember, ...]:
    """All members of an image, oldest first."""
    return tuple(map(_member, tx.execute(
        select(members).where(members.c.image_id == image_id).order_by(members.c.created_at, members.c.member))))


def one(tx: Transaction, image_id: str, member: str) -> ImageMember | None:
    """One member of an image."""
    row = tx.execute(select(members).where(members.c.image_id == image_id, members.c.member == member)).first()
    return None if row is None else _member(row)


def add(tx: Transaction, image_id: str, member: str) -> ImageMember:
    """Insert a member who has not answered yet."""
    added = ImageMember(image_id=image_id, member=member, created_at=tx.now, updated_at=tx.now)
    tx.execute(insert(members).values(image_id=image_id, member=member, status=added.status.value,
                                      created_at=tx.now, updated_at=tx.now))
    return added


def answer(tx: Transaction, image_id: str, member: str, status: MemberStatus) -> None:
    """Keep what the member decided."""
    tx.execute(update(members).where(members.c.image_id == image_id, members.c.member == member).values(
        status=status.value, updated_at=tx.now))


def remove(tx: Transaction, image_id: str, member: str) -> bool:
    """Delete one; False when there was none."""
    return tx.execute(delete(members).where(
        members.c.image_id == image_id, members.c.member == member)).rowcount == 1


def _member(row: Row[Any]) -> ImageMember:
    return ImageMember(image_id=row.image_id, member=row.member, status=MemberStatus(row.status),
                       created_at=row.created_at, updated_at=row.updated_at)
