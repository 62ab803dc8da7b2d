"""Code of a model can compute, and nothing else: whatever it tries, the machine stays as it was."""

import contextlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dspy.primitives.code_interpreter import CodeExecutionError, CodeInterpreter, FinalOutput

from infrastructure.closed import child, lock
from infrastructure.dspy_runtime import interpreter as interpreters
from infrastructure.dspy_runtime.interpreter import CannotRunCode, ClosedInterpreter, Limits

POSIX = """
loader = [it for it in object.__subclasses__() if it.__name__ == 'BuiltinImporter'][0]
posix = loader.load_module('posix')
"""
"""What a guard in Python would not keep anybody from: a way around the imports that are offered."""

SMALL = Limits(memory_bytes=256 * 1024 * 1024, cpu_s=5, execution_s=10)


@pytest.fixture
def interpreter() -> Iterator[ClosedInterpreter]:
    closed = ClosedInterpreter(SMALL)
    yield closed
    closed.shutdown()


def refused(interpreter: ClosedInterpreter, code: str) -> str:
    with pytest.raises(CodeExecutionError) as error:
        interpreter.execute(code)
    return str(error.value)


@pytest.mark.feature("MOD-26")
@pytest.mark.parametrize(
    "attempt",
    [
        "posix.open('/etc/passwd', 0)",
        "posix.open('/tmp/made', posix.O_CREAT | posix.O_WRONLY)",
        "posix.listdir('/')",
        "posix.stat('/')",
        "posix.unlink('/etc/hostname')",
        "posix.fork()",
        "posix.execv('/bin/sh', ['sh'])",
        "posix.kill(1, 0)",
        "posix.kill(posix.getpid(), 9)",
        "posix.pipe()",
        "posix.chdir('/tmp')",
        "posix.setuid(0)",
        "posix.write(2, b'x')",
        "posix.read(1, 1)",
        "posix.dup(0)",
        "posix.sched_getaffinity(0)",
        "posix.getpriority(0, 0)",
    ],
)
def test_mod_26_the_kernel_refuses_all_that_leads_outside(
    interpreter: ClosedInterpreter, attempt: str
) -> None:
    said = refused(interpreter, POSIX + attempt)
    assert said.startswith("PermissionError: [Errno 1] Operation not permitted")
    assert interpreter.execute("1 + 1") == 2


@pytest.mark.feature("MOD-26")
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("open('/etc/passwd').read()", "PermissionError: there are no files here (line 1)"),
        ("import socket", "ImportError: socket is not available here; there are "),
        ("import os", "ImportError: os is not available here; there are "),
        ("import subprocess.run", "ImportError: subprocess is not available here; there are "),
        ("input()", "NameError: name 'input' is not defined (line 1)"),
    ],
)
def test_mod_26_code_that_reads_a_file_or_opens_a_socket_is_told_so(
    interpreter: ClosedInterpreter, code: str, said: str
) -> None:
    assert refused(interpreter, code).startswith(said)


@pytest.mark.feature("MOD-26")
def test_mod_26_a_socket_cannot_be_opened_either_by_the_module_that_is_there(
    interpreter: ClosedInterpreter,
) -> None:
    code = """
import json
sys = json.decoder.scanner.re.enum.sys
sys.modules['_socket'].socket()
"""
    assert "Operation not permitted" in refused(interpreter, code)


@pytest.mark.feature("MOD-26")
def test_mod_26_an_endless_loop_is_killed_at_its_cap() -> None:
    interpreter = ClosedInterpreter(Limits(execution_s=0.5))
    interpreter.execute("kept = 1")
    process = interpreter._process
    assert process is not None
    said = refused(interpreter, "while True: pass")
    assert said == "The code was ended. It took longer than 0.5 s. All variables are gone."
    assert process.returncode == -9
    assert "NameError" in refused(interpreter, "kept")
    interpreter.shutdown()


@pytest.mark.feature("MOD-26")
def test_mod_26_time_of_the_processor_is_capped_even_if_nobody_looks() -> None:
    interpreter = ClosedInterpreter(Limits(cpu_s=1, execution_s=60))
    said = refused(interpreter, "while True: pass")
    assert said.startswith("The code was ended. It used too much memory or time")
    interpreter.shutdown()


@pytest.mark.feature("MOD-26")
@pytest.mark.parametrize("bomb", ["'x' * 10**10", "[0] * 10**10", "bytearray(10**9)"])
def test_mod_26_memory_is_capped(interpreter: ClosedInterpreter, bomb: str) -> None:
    assert refused(interpreter, bomb).startswith("MemoryError")
    assert interpreter.execute("1") == 1


@pytest.mark.feature("MOD-26")
def test_mod_26_the_host_keeps_its_files_limits_and_processes(
    interpreter: ClosedInterpreter, tmp_path: Path
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_AS)
    before = list(tmp_path.iterdir())
    refused(interpreter, POSIX + f"posix.mkdir({str(tmp_path / 'made')!r})")
    process = interpreter._process
    interpreter.shutdown()
    assert list(tmp_path.iterdir()) == before
    assert resource.getrlimit(resource.RLIMIT_AS) == limits
    assert process is not None
    assert process.returncode is not None


def test_nothing_of_ours_is_in_its_environment(interpreter: ClosedInterpreter) -> None:
    code = POSIX + "[key.decode() for key in posix.environ]"
    assert set(interpreter.execute(code)) <= {"PYTHONHASHSEED", "PYTHONPATH", "LC_CTYPE"}


@pytest.mark.parametrize(
    ("code", "came"),
    [
        ("1 + 1", 2),
        ("print('a')\nprint('b')", "a\nb\n"),
        ("x = 1", None),
        ("import math\nround(math.pi, 2)", 3.14),
        ("import statistics as s\ns.mean([1, 2])", 1.5),
        ("import datetime\ndatetime.date(2030, 1, 2).isoformat()", "2030-01-02"),
        ("{1, 2}", "{1, 2}"),
        ("float('nan')", "nan"),
        ("SUBMIT(1)", FinalOutput(1)),
        ("SUBMIT({'a': [1]})", FinalOutput({"a": [1]})),
        ("SUBMIT(a=1, b='x')", FinalOutput({"a": 1, "b": "x"})),
    ],
)
def test_code_computes_and_gives_what_it_found(
    interpreter: ClosedInterpreter, code: str, came: Any
) -> None:
    assert interpreter.execute(code) == came


def test_a_submission_names_its_outputs(interpreter: ClosedInterpreter) -> None:
    interpreter.output_fields = [{"name": "a", "type": "int"}, {"name": "b"}]
    assert interpreter.execute("SUBMIT(1, b=2)") == FinalOutput({"a": 1, "b": 2})
    assert interpreter.execute("SUBMIT({'a': 1, 'b': 2})") == FinalOutput({"a": 1, "b": 2})
    assert "SUBMIT takes a, b" in refused(interpreter, "SUBMIT(1, 2, 3)")


def test_state_stays_and_variables_come_in(interpreter: ClosedInterpreter) -> None:
    assert isinstance(interpreter, CodeInterpreter)
    interpreter.execute("def double(it): return it * 2")
    assert interpreter.execute("double(rows)", {"rows": [1, {"a": None}]}) == [1, {"a": None}] * 2
    interpreter.start()
    assert interpreter.execute("rows[0]") == 1
    with pytest.raises(CodeExecutionError, match="cannot be given to code"):
        interpreter.execute("x", {"x": object()})


def test_the_order_of_a_set_is_always_the_same() -> None:
    found = set()
    for _ in range(3):
        interpreter = ClosedInterpreter(SMALL)
        found.add(str(interpreter.execute("import random\n[*set('hello world')], random.random()")))
        interpreter.shutdown()
    assert len(found) == 1


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = 1\ny = x / 0", "ZeroDivisionError: division by zero (line 2)"),
        ("def f(): return f()\nf()", "RecursionError: maximum recursion depth exceeded (line 1)"),
        ("raise SystemExit(3)", "SystemExit: 3 (line 1)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt:  (line 1)"),
    ],
)
def test_what_goes_wrong_is_told_by_its_line(
    interpreter: ClosedInterpreter, code: str, said: str
) -> None:
    assert refused(interpreter, code) == said


def test_what_is_no_python_is_told_by_its_line(interpreter: ClosedInterpreter) -> None:
    with pytest.raises(SyntaxError, match=r"invalid syntax \(line 2\)"):
        interpreter.execute("x = 1\ndef f(:")


def test_tools_run_on_this_side(interpreter: ClosedInterpreter) -> None:
    def fails() -> None:
        raise ValueError("it is shut")

    interpreter.tools = {"add": lambda a, b: a + b, "fails": fails, "odd": object}
    assert interpreter.execute("add(1, b=2)") == 3
    assert "it is shut" in refused(interpreter, "fails()")
    assert "not JSON serializable" in refused(interpreter, "odd()")


FORGED = (
    POSIX
    + """
def say(body):
    posix.write(1, len(body).to_bytes(4, 'big') + body)
"""
)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("posix.write(1, b'\\xff\\xff\\xff\\xff')", "It gave too much."),
        ("posix.write(1, (5_000_000).to_bytes(4, 'big'))", "It gave too much."),
        ("say(b'nonsense')", "It gave nonsense."),
        ("say(b'[]')", "It gave nonsense."),
        ("say(b'[' * 100000)", "It gave nonsense."),
    ],
)
def test_nothing_that_code_forges_is_believed(
    interpreter: ClosedInterpreter, body: str, said: str
) -> None:
    assert said in refused(interpreter, FORGED + body)
    assert interpreter.execute("1") == 1


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ('"tool": "__class__", "args": [], "kwargs": {}', "There is no such tool."),
        ('"tool": ["add"], "args": [], "kwargs": {}', "There is no such tool."),
        ('"tool": "add", "args": {}, "kwargs": {}', "These are no arguments of add."),
        ('"tool": "add", "args": [], "kwargs": null', "These are no arguments of add."),
    ],
)
def test_a_forged_call_reaches_no_other_tool(
    interpreter: ClosedInterpreter, call: str, told: str
) -> None:
    interpreter.tools = {"add": lambda a, b: a + b}
    code = f"{FORGED}\nsay(b'{{{call}}}')\nposix.read(0, 4)\nposix.read(0, 10000).decode()"
    assert interpreter.execute(code) == json.dumps({"error": told})


def test_a_value_that_is_too_long_is_told_and_the_variables_stay(
    interpreter: ClosedInterpreter,
) -> None:
    said = refused(interpreter, "kept = 'x' * 3_500_000\nkept")
    assert said == "ValueError: this is longer than 3000000 bytes of JSON, give less"
    assert interpreter.execute("len(kept)") == 3_500_000


def test_no_tool_is_called_after_the_time_though_the_calls_were_written_ahead() -> None:
    interpreter, called = ClosedInterpreter(Limits(execution_s=1)), list[int]()

    def slow() -> None:
        called.append(1)
        time.sleep(0.6)

    interpreter.tools = {"slow": slow}
    ahead = 'for _ in range(9): say(b\'{"tool": "slow", "args": [], "kwargs": {}}\')'
    code = f"{FORGED}\n{ahead}\nwhile True: pass"
    assert "It took longer than 1 s." in refused(interpreter, code)
    assert len(called) <= 2


def test_what_does_not_end_itself_in_time_cannot_hold_us_up_by_not_reading() -> None:
    interpreter = ClosedInterpreter(Limits(execution_s=1))
    interpreter.tools = {"big": lambda: "x" * 10_000_000}
    code = FORGED + 'say(b\'{"tool": "big", "args": [], "kwargs": {}}\')\nwhile True: pass'
    assert "It took longer than 1 s." in refused(interpreter, code)
    interpreter.shutdown()


def test_a_worker_with_many_files_open_can_still_run_code(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    with contextlib.ExitStack() as files:
        for number in range(1100):
            files.enter_context((tmp_path / str(number)).open("w"))
        interpreter = ClosedInterpreter(SMALL)
        assert interpreter.execute("1 + 1") == 2
        interpreter.shutdown()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_machine_that_cannot_close_a_process_runs_no_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stub = "import sys; sys.stdout.buffer.write(b'\\0\\0\\0\\x11' + b'{\"open\": \"files\"}')"
    monkeypatch.setattr(
        interpreters.subprocess,
        "Popen",
        lambda _, **kept: _popen([sys.executable, "-c", stub], **kept),
    )
    with pytest.raises(CannotRunCode, match="Code cannot be run here: files"):
        ClosedInterpreter(SMALL).execute("1")


def test_a_process_that_does_not_start_runs_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        interpreters.subprocess, "Popen", lambda _, **kept: _popen(["/bin/false"], **kept)
    )
    with pytest.raises(CannotRunCode, match="did not start"):
        ClosedInterpreter(SMALL).start()


_popen = subprocess.Popen


def test_an_unknown_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock.platform, "machine", lambda: "pdp11")
    with pytest.raises(lock.CannotBeClosed, match="on pdp11 has no filter"):
        lock.close(memory_bytes=1, cpu_s=1)


def test_the_modules_that_code_may_import_need_no_machine() -> None:
    assert not {"os", "sys", "socket", "subprocess", "threading", "ctypes", "io", "pathlib"} & set(
        child.MODULES
    )
