"""The text form of a signature, in every spelling that the papers and DSPy use."""

import pytest

from domain.errors import InvalidError
from domain.signature.errors import InvalidSignature, SignatureSyntaxError, UnknownType
from domain.signature.fields import FieldSpec, SignatureSpec
from domain.signature.syntax import MAX_LENGTH, parse, render, render_type
from domain.signature.types import (
    PRIMITIVES,
    STRING,
    DictOf,
    EnumOf,
    FieldType,
    ListOf,
    OptionalOf,
    UnionOf,
)

INTEGER, FLOAT = PRIMITIVES["integer"], PRIMITIVES["float"]


def only_input(text: str) -> FieldSpec:
    return parse(f"{text} -> out").inputs[0]


def type_of(text: str) -> FieldType:
    return only_input(f"x: {text}").type


@pytest.mark.feature("SIG-07")
def test_sig_07_an_arrow_string_gives_required_strings() -> None:
    assert parse("question -> answer") == SignatureSpec(
        inputs=(FieldSpec(name="question"),), outputs=(FieldSpec(name="answer"),)
    )


@pytest.mark.feature("SIG-08")
def test_sig_08_a_type_follows_the_colon_and_is_string_by_default() -> None:
    spec = parse("a, b: integer -> c: float")
    assert [field.type for field in spec.inputs] == [STRING, INTEGER]
    assert spec.outputs[0].type == FLOAT


@pytest.mark.feature("SIG-09")
@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a b", 1, 3),
        ("a -> b -> c", 1, 8),
        ("-> b", 1, 1),
        ("a ->", 1, 5),
        ("a -> ", 1, 6),
        ("", 1, 1),
        ("   ", 1, 4),
        ("a,\n b c -> d", 2, 4),
        ("a, -> b", 1, 4),
        ("a: -> b", 1, 4),
        ("a = -> b", 1, 5),
        ("a = bug -> b", 1, 5),
        ("a = [1, ] -> b", 1, 9),
        ("a = {1: 2} -> b", 1, 6),
        ("a = {'k' 2} -> b", 1, 10),
        ("a: list[string -> b", 1, 16),
        ("a: dict[string] -> b", 1, 15),
        ("a: {:array string} -> b", 1, 12),
        ("a: {:map, :string, :string, :string} -> b", 1, 36),
        ("a: enum[1] -> b", 1, 9),
        ("a ! -> b", 1, 3),
        ("a 'unclosed -> b", 1, 3),
        (r"a '\q' -> b", 1, 4),
        (r"a '\ud800' -> b", 1, 3),
        ("a\x00 -> b", 1, 1),
        ("a = " + "1" * 4001 + " -> b", 1, 5),
        ("a: float = 1e999 -> b", 1, 12),
        ("x" * 99, 1, 100),
    ],
)
def test_sig_09_a_bad_format_is_refused_with_its_place(text: str, line: int, column: int) -> None:
    with pytest.raises(SignatureSyntaxError) as refused:
        parse(text)
    error = refused.value
    assert (error.code, error.line, error.column) == ("invalid_signature_format", line, column)
    assert str(error).startswith(f"Invalid signature format at line {line}, column {column}: ")
    assert [fault.message for fault in error.faults] == [f"{error} {error.suggestion}"]
    assert error.suggestion


@pytest.mark.feature("SIG-10")
@pytest.mark.parametrize(
    ("text", "same"),
    [
        (
            "signature question: :string -> answer: :string, confidence: :float",
            "question -> answer, confidence: float",
        ),
        (
            "signature query: :string, documents: list[:string] ->\n"
            "answer: :string,\nsources: list[:string],\nconfidence: :probability",
            "query, documents: list[str] -> answer, sources: list[str], confidence: probability",
        ),
        (
            "signature problem: :string, context: :string ->\n"
            "reasoning: :reasoning_chain,\nanswer: :string,\nconfidence: :probability",
            "problem, context -> reasoning: reasoning_chain, answer, confidence: probability",
        ),
        ("signature question: :string -> answer: :string", "question -> answer"),
    ],
)
def test_sig_10_the_examples_of_the_papers_parse_verbatim(text: str, same: str) -> None:
    assert parse(text) == parse(same)


PAPER = """signature do
input :question, :string, desc: "The question to answer"
input :context, :string, desc: "Optional context", optional: true
input :passages, {:array, :string}, default: ["none"]
output :reasoning, :string, desc: "Step-by-step reasoning"
output :answer
end"""


@pytest.mark.feature("SIG-20")
def test_sig_20_the_macros_of_the_papers_parse_verbatim() -> None:
    assert parse(PAPER) == parse(
        'question "The question to answer", context? "Optional context", '
        'passages: list[string] = ["none"]'
        ' -> reasoning "Step-by-step reasoning", answer'
    )


def test_a_field_may_be_called_as_a_word_of_the_macros() -> None:
    assert [field.name for field in parse("do, input, end -> output").inputs] == [
        "do", "input", "end",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("signature do\ninput :a, :any, descr: 'x'\noutput :b\nend", 2, 17, "Did you mean desc?"),
        ("signature do\ninput :a, zzz: 'x'\noutput :b\nend", 2, 11, "Options are desc,"),
        ("signature do\ninput :a, desc: 3\noutput :b\nend", 2, 17, "A desc is a text"),
        ("signature do\ninput :a, optional: 'x'\noutput :b\nend", 2, 21, "A desc is a text"),
        ("signature do\ninput :a, desc: 'x', :string\noutput :b\nend", 2, 22, "Write input"),
        ("signature do\ninput a\noutput :b\nend", 2, 7, "Write input"),
        ("signature do\ninput :a\noutput :b", 3, 10, "Write input"),
        ("signature do\ninput :a\nend", 1, 11, "Write input"),
        ("signature do\ninput :a\noutput :b\nend x", 4, 5, "Write input"),
    ],
)  # fmt: skip
def test_a_fault_in_the_macros_is_told_with_its_place(
    text: str, line: int, column: int, said: str
) -> None:
    with pytest.raises(SignatureSyntaxError) as refused:
        parse(text)
    error = refused.value
    assert (error.line, error.column) == (line, column)
    assert said in error.suggestion


def test_a_field_cannot_be_called_signature() -> None:
    with pytest.raises(InvalidSignature, match="reserved"):
        parse("signature -> answer")


@pytest.mark.feature("SIG-12")
def test_sig_12_lists_nest() -> None:
    nested = ListOf(item=ListOf(item=INTEGER))
    assert type_of("list[list[integer]]") == nested
    assert render_type(nested) == "list[list[integer]]"


@pytest.mark.feature("SIG-15")
@pytest.mark.parametrize(
    ("written", "name"),
    [
        *((name, name) for name in PRIMITIVES),
        ("str", "string"),
        ("int", "integer"),
        ("bool", "boolean"),
        ("list", "array"),
        ("dict", "map"),
        ("Any", "any"),
        (":string", "string"),
    ],
)
def test_sig_15_every_type_name_and_alias_is_known(written: str, name: str) -> None:
    assert type_of(written) == PRIMITIVES[name]


@pytest.mark.feature("SIG-16")
@pytest.mark.parametrize(
    ("elixir", "type"),
    [
        ("{:array, :string}", ListOf(item=STRING)),
        ("{:array, {:array, :integer}}", ListOf(item=ListOf(item=INTEGER))),
        ("{:map, :string, :integer}", DictOf(key=STRING, value=INTEGER)),
        ("{:map, :integer}", DictOf(key=STRING, value=INTEGER)),
        ("{:map, :map}", DictOf(key=STRING, value=PRIMITIVES["map"])),
    ],
)
def test_sig_16_the_spelling_of_elixir_is_taken(elixir: str, type: FieldType) -> None:
    assert type_of(elixir) == type


@pytest.mark.parametrize(
    ("written", "type"),
    [
        ("dict[str, int]", DictOf(key=STRING, value=INTEGER)),
        ("enum['bug', \"billing\"]", EnumOf(values=("bug", "billing"))),
        ("enum[bug, :billing]", EnumOf(values=("bug", "billing"))),
        ("Literal['x -> y']", EnumOf(values=("x -> y",))),
        ("optional[string]", OptionalOf(of=STRING)),
        ("Optional[str]", OptionalOf(of=STRING)),
        ("str | None", OptionalOf(of=STRING)),
        ("None | str", OptionalOf(of=STRING)),
        ("int | str", UnionOf(options=(INTEGER, STRING))),
        ("union[int, str]", UnionOf(options=(INTEGER, STRING))),
        ("Union[int, None, str]", OptionalOf(of=UnionOf(options=(INTEGER, STRING)))),
        ("union[int, int]", INTEGER),
        ("optional[int | None]", OptionalOf(of=INTEGER)),
        ("list[int | None]", ListOf(item=OptionalOf(of=INTEGER))),
    ],
)
def test_the_spellings_of_python_are_taken(written: str, type: FieldType) -> None:
    assert type_of(written) == type


@pytest.mark.feature("SIG-17")
@pytest.mark.parametrize(
    ("text", "name", "suggestion"),
    [
        ("foo: strng -> b", "strng", "Did you mean string?"),
        ("foo: list[intger] -> b", "intger", "Did you mean integer?"),
        ("foo: {:tuple, :string} -> b", "tuple", None),
        ("foo: os[string] -> b", "os", None),
        ("foo: None -> b", "None", None),
        ("foo -> b: zzz", "zzz", None),
    ],
)
def test_sig_17_an_unknown_type_is_named(text: str, name: str, suggestion: str | None) -> None:
    with pytest.raises(UnknownType) as refused:
        parse(text)
    error = refused.value
    assert (error.code, str(error), error.line) == ("invalid_type", f"Invalid type: {name}", 1)
    assert error.suggestion.startswith(suggestion or "Types are ")
    assert error.faults[0].message.startswith(f"Invalid type: {name} at line 1, column ")
    assert error.faults[0].message.endswith(error.suggestion)


@pytest.mark.feature("SIG-19")
@pytest.mark.parametrize(
    ("written", "field"),
    [
        ("a?", FieldSpec(name="a", optional=True)),
        ("a?: int", FieldSpec(name="a", type=INTEGER, optional=True)),
        ("a 'why'", FieldSpec(name="a", description="why")),
        (r"a 'it\'s \u00e9 \ud83d\ude00\n'", FieldSpec(name="a", description="it's é 😀\n")),
        ("a ''", FieldSpec(name="a")),
        (
            'a?: int = 3 "how many"',
            FieldSpec(name="a", type=INTEGER, default=3, description="how many"),
        ),
        ("a: int = '3'", FieldSpec(name="a", type=INTEGER, default=3)),
        ("a: float = 1", FieldSpec(name="a", type=FLOAT, default=1.0)),
        ("a: float = -1.5e2", FieldSpec(name="a", type=FLOAT, default=-150.0)),
        ("a: bool = True", FieldSpec(name="a", type=PRIMITIVES["boolean"], default=True)),
        ("a: any = null", FieldSpec(name="a", type=PRIMITIVES["any"], default=None)),
        ("a: list = []", FieldSpec(name="a", type=PRIMITIVES["array"], default=[])),
        ("a: list = [1, 'x']", FieldSpec(name="a", type=PRIMITIVES["array"], default=[1, "x"])),
        ("a: map = {}", FieldSpec(name="a", type=PRIMITIVES["map"], default={})),
        (
            "a: map = {'k': [nil, {'m': false}]}",
            FieldSpec(name="a", type=PRIMITIVES["map"], default={"k": [None, {"m": False}]}),
        ),
        ("a: enum[x, y] = :x", FieldSpec(name="a", type=EnumOf(values=("x", "y")), default="x")),
    ],
)
def test_sig_19_a_field_may_be_optional_described_and_have_a_default(
    written: str, field: FieldSpec
) -> None:
    assert only_input(written) == field
    assert only_input(written).optional is field.optional


@pytest.mark.parametrize("text", ['signature "Be brief." a -> b', '"Be brief." a -> b'])
def test_instructions_stand_first_in_quotes(text: str) -> None:
    assert parse(text).instructions == "Be brief."


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "list[" * 100_000,
        "a: " + "{:array, " * 100_000,
        "a: " + "union[" * 100_000,
        "a: " + "optional[" * 100_000 + "int" + "]" * 100_000 + " -> b",
        "a = " + "[" * 100_000,
        "a = " + '{"k": ' * 100_000,
        "a: " + "int | " * 100_000 + "int",
        "a, " * 100_000 + "a -> b",
        "a" * (MAX_LENGTH + 1),
        "a -> b: enum[" + "x, " * 100_000 + "x]",
        "a -> b: integer(" + "ge=1, " * 100_000 + "ge=1)",
        "signature do " + "input :a " * 100_000 + "end",
    ],
)
def test_hostile_depth_and_length_are_refused_quickly(text: str) -> None:
    with pytest.raises(InvalidError):
        parse(text)


def test_a_long_word_is_cut_in_the_message() -> None:
    with pytest.raises(SignatureSyntaxError) as refused:
        parse("a " + "b" * 1000)
    assert len(str(refused.value)) < 200


def test_no_type_name_is_ever_imported() -> None:
    with pytest.raises(InvalidError):
        parse("x -> y: this.d")


def test_a_signature_is_written_in_one_spelling() -> None:
    text = "signature a?: int = 3 'n' , b: Literal['x','y'], c: {:map, :int} -> d: int | None | str"
    assert render(parse(text)) == (
        'a?: integer = 3 "n", b: enum["x", "y"], c: dict[string, integer]'
        " -> d: optional[union[integer, string]]"
    )
