"""Whoever follows a run, in memory."""

from application.streaming import Piece


class Noted:
    """An audience that notes what it is told; without a piece it is that a call began."""

    listens = True

    def __init__(self) -> None:
        self.told: list[tuple[str, str, Piece | None]] = []

    @property
    def began_at(self) -> list[str]:
        """The nodes whose calls began."""
        return [node for _, node, piece in self.told if piece is None]

    @property
    def pieces(self) -> list[Piece]:
        return [piece for _, _, piece in self.told if piece is not None]

    @property
    def texts(self) -> dict[str, str]:
        """What was told of each field; at offset 0 it begins anew."""
        found = dict[str, str]()
        for field, offset, text in self.pieces:
            found[field] = found[field] + text if offset else text
        return found

    def began(self, call: str, node: str) -> None:
        self.told.append((call, node, None))

    def said(self, call: str, node: str, piece: Piece) -> None:
        self.told.append((call, node, piece))
