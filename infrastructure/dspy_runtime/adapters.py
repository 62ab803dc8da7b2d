"""How prompts are written: DSPy's adapters, over values that are JSON before and after.

Markers of non-text content within texts are made harmless: a text with such a marker would become
a real image or file block of the request. Only fields of those types become blocks.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, get_args, get_origin
from weakref import WeakKeyDictionary

import dspy
from dspy.adapters.types.base_type import (
    CUSTOM_TYPE_END_IDENTIFIER,
    CUSTOM_TYPE_START_IDENTIFIER,
)
from dspy.utils.exceptions import AdapterParseError
from pydantic import BaseModel

from domain.values import AS_DSPY, Reading
from infrastructure.dspy_runtime.reading import (
    INVALID,
    MAX_CHARACTERS,
    UNREAD,
    AnswerIsUnreadable,
    faults_of,
    out_of_bounds,
    repaired,
    unreadable,
    unsound,
)
from infrastructure.dspy_runtime.recording import finish_reason
from infrastructure.dspy_runtime.sharing import reading_answers, was_read

Turns = tuple[Mapping[str, str], ...]
"""What is said after the question: an answer, and what is wrong with it."""

_MARKERS: Final = (CUSTOM_TYPE_START_IDENTIFIER, CUSTOM_TYPE_END_IDENTIFIER)
_CONTENT: Final = (dspy.Image, dspy.Audio, dspy.File)
_SHOWN: Final = 4_000
"""Characters of an answer that the model is shown again."""

_prefaces: Final[WeakKeyDictionary[Any, tuple[object, str]]] = WeakKeyDictionary()
"""What was said of a signature last, and of what it was said."""


class _SafeAdapter(dspy.ChatAdapter):  # type: ignore[misc]  # DSPy ships no types
    """What both forms share: harmless texts, and what is done about an answer that is not in it."""

    def __init__(self, *, reading: Reading = AS_DSPY, turns: Turns = (), **options: Any) -> None:
        super().__init__(**options)
        self.reading, self._turns = reading, turns

    def format(self, signature: Any, demos: list[Any], inputs: dict[str, Any]) -> Any:
        shown = super().format(signature, _examples(signature, demos), _inputs(signature, inputs))
        return [*shown, *self._turns]

    def format_system_message(self, signature: Any) -> str:
        """What DSPy says of *signature*, the same for every question until that is changed."""
        # It is more than half the work of a prompt: schemas are made of types, each time anew.
        shape, known = (type(self), _shape(signature)), _prefaces.get(signature)
        if known is None or known[0] != shape:
            known = _prefaces[signature] = shape, super().format_system_message(signature)
        return known[1]

    def parse(self, signature: Any, completion: str) -> dict[str, Any]:
        if self.reading == AS_DSPY:
            values = super().parse(signature, completion)
        else:
            values = _read(super().parse, signature, completion)
        was_read()
        return {name: _plain(it) for name, it in values.items()}

    def __call__(
        self,
        lm: Any,
        lm_kwargs: dict[str, Any],
        signature: Any,
        demos: list[Any],
        inputs: dict[str, Any],
    ) -> Any:
        several = (lm_kwargs.get("n") or lm.kwargs.get("n") or 1) > 1
        if self.reading == AS_DSPY or several:
            return self._asked(lm, lm_kwargs, signature, demos, inputs)

        def ask(adapter: _SafeAdapter) -> Any:
            # Adapters change the settings of a call: each call has its own.
            return adapter._asked(lm, dict(lm_kwargs), signature, demos, inputs)

        turns: Turns = ()
        refused: AnswerIsUnreadable | None = None
        for _ in range(self.reading.feedback + 1):
            try:
                return ask(self._once(type(self), turns))
            except AdapterParseError as error:
                refused = _refused(signature, error)
            if refused.is_final:
                raise refused
            if (told := self._told(signature, refused)) == turns:
                break  # it would say the same again
            turns = told
        try:
            return ask(self._once(self._other_form, ()))
        except AdapterParseError as error:
            raise _refused(signature, error) from refused

    def _asked(self, *question: Any) -> Any:
        """The answer to *question* as DSPy alone gets it."""
        with reading_answers():
            return super().__call__(*question)

    @property
    def _other_form(self) -> "type[_SafeAdapter]":
        """The form that is asked for when nothing else helped."""
        return SafeChatAdapter if isinstance(self, SafeJsonAdapter) else SafeJsonAdapter

    def _once(self, form: "type[_SafeAdapter]", turns: Turns) -> "_SafeAdapter":
        """An adapter of *form* for one question, with *turns* after it."""
        made = form(
            reading=self.reading,
            turns=turns,
            use_native_function_calling=self.use_native_function_calling,
        )
        made.use_json_adapter_fallback = False
        return made

    def _told(self, signature: Any, refused: AnswerIsUnreadable) -> Turns:
        """The model's answer, and what is wrong with it."""
        said = _harmless(str(refused.lm_response))[:_SHOWN] or "(nothing)"
        wrong = "; ".join(refused.faults)
        told = f"This answer cannot be used: {wrong}. Answer again, in full."
        asked = self.user_message_output_requirements(signature)
        return (
            {"role": "assistant", "content": said},
            {"role": "user", "content": f"{told}\n\n{asked}"},
        )


class SafeJsonAdapter(_SafeAdapter, dspy.JSONAdapter):  # type: ignore[misc]  # as above
    """DSPy's JSON adapter for texts of strangers."""


class SafeChatAdapter(_SafeAdapter):
    """DSPy's chat adapter for texts of strangers; an answer it cannot read is asked for as JSON."""

    def _make_json_adapter_fallback(self) -> SafeJsonAdapter:
        return SafeJsonAdapter(use_native_function_calling=self.use_native_function_calling)


def _shape(signature: Any) -> object:
    """All of *signature* that DSPy reads for its preface; programs may change it in place."""
    fields = signature.model_fields.items()
    told = [(name, field.annotation, dict(field.json_schema_extra)) for name, field in fields]
    return signature.__doc__, told


def _read(
    parse: Callable[[Any, str], dict[str, Any]], signature: Any, answer: str
) -> dict[str, Any]:
    """The fields of *answer* as *parse* finds them, or else as it plainly means them.

    Raises:
        AnswerIsUnreadable: It cannot be read, cannot be stored, or is out of bounds.
    """
    values: dict[str, Any] | None = None
    if len(answer) <= MAX_CHARACTERS:
        try:
            values = parse(signature, answer)
        except (AdapterParseError, *UNREAD):
            values = repaired(signature, answer)
    if values is None:
        raise unreadable(signature, answer, faults_of(signature, answer), finish_reason())
    if faults := unsound({name: _plain(it) for name, it in values.items()}):
        raise unreadable(signature, answer, faults, finish_reason())
    if faults := out_of_bounds(signature, values):
        raise AnswerIsUnreadable(signature, answer, faults, INVALID)
    return values


def _refused(signature: Any, error: AdapterParseError) -> AnswerIsUnreadable:
    """*error* with what is wrong; DSPy raises its own for an answer without a text."""
    if isinstance(error, AnswerIsUnreadable):
        return error
    return unreadable(signature, "", faults_of(signature, ""), finish_reason())


def _inputs(signature: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """*inputs* as DSPy wants them: texts harmless, content as blocks, earlier turns as such."""
    shown = _blocks(signature, _harmless(dict(inputs)))
    for name, field in signature.input_fields.items():
        if field.annotation is dspy.History and not isinstance(shown.get(name), dspy.History):
            turns = [_blocks(signature, turn) for turn in shown.get(name) or []]
            shown[name] = dspy.History(messages=turns)
    return shown


def _examples(signature: Any, demos: list[Any]) -> list[Any]:
    return [_blocks(signature, _harmless(dict(demo.items()))) for demo in demos]


def _blocks(signature: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    fields = signature.fields
    return {
        name: _block(fields[name].annotation, value) if name in fields else value
        for name, value in values.items()
    }


def _block(annotation: Any, value: Any) -> Any:
    """*value* as a block of the request, if *annotation* is of a type that has one."""
    if annotation in _CONTENT:
        return annotation(value) if isinstance(value, str) else value
    if get_origin(annotation) is list and isinstance(value, list):
        return [_block(get_args(annotation)[0], part) for part in value]
    if type(None) in (options := get_args(annotation)) and value is not None:
        return _block(options[0], value)
    return value


def _plain(value: Any) -> Any:
    """*value* as JSON: demos, states and journals hold nothing else."""
    match value:
        case dspy.Code():
            return value.code
        case dspy.Type():
            return value
        case BaseModel():
            return value.model_dump(mode="json", by_alias=True)
        case list():
            return [_plain(part) for part in value]
        case dict():
            return {key: _plain(part) for key, part in value.items()}
        case _:
            return value


def _harmless(value: Any) -> Any:
    match value:
        case str():
            for marker in _MARKERS:
                value = value.replace(marker, marker.replace("-", " "))
            return value
        case dict():
            return {_harmless(key): _harmless(part) for key, part in value.items()}
        case list():
            return [_harmless(part) for part in value]
        case dspy.Example():
            return _harmless(dict(value.items()))
        case dspy.History():
            return dspy.History(messages=_harmless(value.messages))
        case dspy.Type():
            return value
        case BaseModel():
            return _harmless(value.model_dump(mode="json", by_alias=True))
        case _:
            return value
