import pytest

from modemproxy.emulator.syntax import Call, Form, parse_line


@pytest.mark.parametrize(
    ("line", "calls"),
    [
        ("", []),
        ("E0", [Call("E", Form.EXECUTE, ("0",))]),
        ("e0v1", [Call("E", Form.EXECUTE, ("0",)), Call("V", Form.EXECUTE, ("1",))]),
        ("&F;E0", [Call("&F"), Call("E", Form.EXECUTE, ("0",))]),
        ("E0+CSQ", [Call("E", Form.EXECUTE, ("0",)), Call("+CSQ")]),
        ("+csq", [Call("+CSQ")]),
        ("+CSQ=?", [Call("+CSQ", Form.TEST)]),
        ("+CREG?;+CSQ", [Call("+CREG", Form.QUERY), Call("+CSQ")]),
        ("+X=1,,3", [Call("+X", Form.SET, ("1", "", "3"), "1,,3")]),
        ("+X=0,", [Call("+X", Form.SET, ("0", ""), "0,")]),
        ("+X=", [Call("+X", Form.SET, ("",), "")]),
        ('+X=0, "a;b,c" ,80', [Call("+X", Form.SET, ("0", "a;b,c", "80"), '0, "a;b,c" ,80')]),
        ("S0=3", [Call("S", Form.SET, ("0", "3"))]),
        ("S3?", [Call("S", Form.QUERY, ("3", ""))]),
    ],
)
def test_a_line_is_taken_apart(line: str, calls: list[Call]) -> None:
    assert parse_line(line) == calls


@pytest.mark.parametrize("line", ["=5", "+", "+1", "E0!", "+CSQ!"])
def test_what_cannot_be_a_command_is_none(line: str) -> None:
    assert parse_line(line) is None


def test_a_number_is_decimal_ascii_and_nothing_else() -> None:
    call = Call("+X", Form.SET, ("7", "-1", "", "0x1", "²"))
    assert [call.number(index) for index in range(6)] == [7, None, None, None, None, None]
