"""Files stay under 400 lines, functions under 40."""

import ast

from tests.architecture.source import functions, lines_of, parsed, product_files

LONGEST_FILE = 400
LONGEST_FUNCTION = 40


def too_long(tree: ast.Module) -> list[str]:
    return [each.name for each in functions(tree) if lines_of(each) > LONGEST_FUNCTION]


def test_no_file_is_over_400_lines() -> None:
    sizes = {str(path): len(path.read_text().splitlines()) for path in product_files()}

    assert {path: size for path, size in sizes.items() if size > LONGEST_FILE} == {}


def test_no_function_is_over_40_lines() -> None:
    found = {str(path): names for path, tree in parsed() if (names := too_long(tree))}

    assert found == {}


def test_the_rule_sees_a_long_function() -> None:
    long = "def f():\n" + "    pass\n" * LONGEST_FUNCTION

    assert too_long(ast.parse(long)) == ["f"]
