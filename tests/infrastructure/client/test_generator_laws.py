"""Whatever programs are called and take: the document is whole, and the client is sound Python."""

import ast
from functools import cache
from types import ModuleType
from typing import Annotated, Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.signature.fields import SignatureSpec
from domain.text import Name
from infrastructure.api.typed_paths import with_types
from infrastructure.client.generator import typed_client, typed_programs
from projections.program_types import ProgramTypes
from tests.domain.signature.test_syntax_laws import signatures
from tests.support.api import ApiWorld
from tests.support.openapi_rules import broken

NAME: TypeAdapter[str] = TypeAdapter(Annotated[str, Name])


def is_name(text: str) -> bool:
    try:
        return NAME.validate_python(text) == text
    except ValidationError:
        return False


names = st.one_of(
    st.text(min_size=1, max_size=20).filter(is_name),
    st.text("aA-_ 1{}%\"'\\", min_size=1, max_size=6).filter(is_name),
    st.sampled_from(["New", "execution", "class", "Problem", "a-b", "a_b", "A B"]),
)


@cache
def fixed() -> dict[str, Any]:
    return ApiWorld().app().openapi()


@settings(max_examples=30)
@given(st.dictionaries(names, signatures(), max_size=4))
def test_every_document_is_whole_and_every_client_compiles(
    programs: dict[str, SignatureSpec],
) -> None:
    told = [
        ProgramTypes(
            program_id=UUID(int=0),
            name=name,
            description=None,
            signature=spec.model_dump_json(),
        )
        for name, spec in programs.items()
    ]
    document = with_types(fixed(), told)
    assert list(broken(document, known=fixed())) == []
    assert list(typed_programs(document)) == list(programs)
    text = typed_client(document)
    statements = ast.parse(text).body
    assert all(isinstance(each, ast.Expr | ast.ImportFrom | ast.ClassDef) for each in statements)
    module = ModuleType("generated")
    exec(compile(text, "generated.py", "exec"), module.__dict__)
    made = module.__dict__["Programs"](type("Api", (), {"programs": None})())
    assert [each.id_or_name for each in vars(made).values()] == list(programs)
