"""What is wrong with what was sent is told in sentences, and none of them speaks of Python."""

from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from application.wording import sentence


class Cat(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["cat"]
    lives: Annotated[int, Field(le=9)] = 9


def _barks(name: str) -> str:
    if name == "Kitty":
        raise ValueError("Kitty is a cat. Name a dog.")
    return name


class Dog(BaseModel):
    kind: Literal["dog"]
    name: Annotated[str, AfterValidator(_barks)] = "Rex"


class Home(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    rooms: dict[str, int] = {}
    people: Annotated[list[str], Field(min_length=1)] = ["Ann"]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({}, "pet is missing. Add it."),
        ({"pet": {"kind": "cat", "tail": 1}}, "There is nothing of this name here. Remove it."),
        ({"pet": {"kind": "cow"}}, "Its kind is none of 'cat', 'dog'. Choose one."),
        ({"pet": 7}, "An object with names and values should stand here."),
        (
            {"pet": {"kind": "dog"}, "rooms": []},
            "An object with names and values should stand here.",
        ),
        ({"pet": {"kind": "dog"}, "people": "Ann"}, "A list should stand here."),
        ({"pet": {"kind": "dog"}, "people": [1]}, "A text should stand here."),
        ({"pet": {"kind": "cat", "lives": "many"}}, "A whole number should stand here."),
        (
            {"pet": {"kind": "dog"}, "people": []},
            "There should be 1 or more here; there are 0.",
        ),
        ({"pet": {"kind": "dog", "name": "Kitty"}}, "Kitty is a cat. Name a dog."),
        ({"pet": {"kind": "cat", "lives": 10}}, "Input should be less than or equal to 9."),
    ],
)
def test_a_fault_is_a_sentence(sent: object, said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Home.model_validate(sent)
    [error] = raised.value.errors()
    assert sentence(error) == said
