"""What the source says beneath the members of a class."""

import ast
import inspect
from collections.abc import Mapping
from itertools import pairwise
from textwrap import dedent

from docs.generators.markdown import prose


def attribute_docs(thing: type) -> Mapping[str, str]:
    """The text beneath each member of *thing* that has one."""
    [found] = ast.parse(dedent(inspect.getsource(thing))).body
    assert isinstance(found, ast.ClassDef)
    return {
        name.targets[0].id: prose(text.value.value)
        for name, text in pairwise(found.body)
        if isinstance(name, ast.Assign)
        and isinstance(name.targets[0], ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
