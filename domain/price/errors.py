"""What the price of a model refuses."""

from typing import ClassVar

from domain.errors import NotFoundError


class ModelHasNoPrice(NotFoundError):
    code: ClassVar[str] = "price.not_found"

    def __init__(self, model: str) -> None:
        super().__init__(f"No price of {model} was ever set. See which are: stratal price list.")
        self.model = model
