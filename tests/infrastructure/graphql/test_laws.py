"""Whatever signatures and names there are, their schema is one."""

from uuid import UUID

from graphql import build_client_schema, introspection_from_schema, validate_schema
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.signature.fields import SignatureSpec
from domain.signature.syntax import parse
from infrastructure.api.execution_views import ExecutionDetail
from infrastructure.graphql.schema import Schemas
from projections.program_types import ProgramTypes
from projections.vocabulary import SignatureTypes, Vocabulary
from tests.domain.signature.test_syntax_laws import signatures
from tests.infrastructure.client.test_generator_laws import names

SCHEMAS = Schemas(ExecutionDetail)


@settings(max_examples=25)
@given(st.dictionaries(names, signatures(), max_size=4))
def test_every_signature_and_every_name_make_a_schema(things: dict[str, SignatureSpec]) -> None:
    written = {name: spec.model_dump_json() for name, spec in things.items()}
    known = Vocabulary(
        signatures=tuple(SignatureTypes(name=name, spec=spec) for name, spec in written.items()),
        programs=tuple(
            ProgramTypes(program_id=UUID(int=0), name=name, description=None, signature=spec)
            for name, spec in written.items()
        ),
    )
    schema = SCHEMAS.of(known)
    assert validate_schema(schema) == []
    assert len(schema.mutation_type.fields if schema.mutation_type else ()) == len(things)
    told = build_client_schema(introspection_from_schema(schema))
    assert told.type_map.keys() == schema.type_map.keys()


def test_a_program_may_be_called_as_the_types_of_a_signature_begin() -> None:
    spec = parse("question -> answer").model_dump_json()
    known = Vocabulary(
        signatures=(SignatureTypes(name="QA", spec=spec),),
        programs=(
            ProgramTypes(
                program_id=UUID(int=0), name="qa-signature", description=None, signature=spec
            ),
        ),
    )
    types = SCHEMAS.of(known).type_map
    assert "QaSignatureInputs" in types, "The program keeps its word."
    assert any(each.startswith("SignatureQA") for each in types)
