"""Blocks: the stored parts of a long history, one for every 256 slots and one for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from streamd.core.histories.slots import Slots

HEAD = -1
"""The number of the block that contains everything except slots."""

StoredBlocks = Mapping[str, Mapping[int, bytes]]
"""Blocks of histories: stream -> number -> bytes."""

Blocks = Mapping[str, Mapping[int, bytes | None]]
"""Changes of blocks: stream -> number -> bytes; None for a block to delete."""


class BlockHead(msgspec.Struct, frozen=True, array_like=True):
    """The block :data:`HEAD`, as JSON.

    :ivar width: seconds of a slot.
    """

    width: int


H = TypeVar("H", bound=BlockHead)


def load_blocks(blocks: Mapping[int, bytes], slots: Slots, kind: type[H]) -> H:
    """Set the slots of a stored history, and return its head.

    :param kind: the type of the head.
    :raises ValueError: the blocks are not those of a history, or their slots are of another width.
    """
    try:
        head = msgspec.json.decode(blocks.get(HEAD, b""), type=kind)
    except msgspec.MsgspecError as error:  # before msgspec 0.21 this is not a ValueError
        raise ValueError(str(error)) from None
    if head.width != slots.width:
        raise ValueError(f"its slots have {head.width} s, not {slots.width} s")
    for number, data in blocks.items():
        if number != HEAD:
            slots.load(number, data)
    return head
