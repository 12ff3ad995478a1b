"""A strict reader of the text format 0.0.4: whatever is not plainly right is refused."""

import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
_SAMPLE = re.compile(rf"({_NAME})(?:\{{(.*)\}})? (\S+)")
_VALUE = re.compile(r"[+-]?(\d+(\.\d+)?(e[+-]?\d+)?|Inf)|NaN")
_UNESCAPED = {"\\": "\\", '"': '"', "n": "\n"}

Labels = tuple[tuple[str, str], ...]


@dataclass
class Family:
    """One metric."""

    kind: str
    about: str
    samples: dict[Labels, float] = field(default_factory=dict)

    def value(self, **labels: str) -> float:
        """The value of the one sample that has these labels, among others."""
        wanted = labels.items()
        (value,) = [v for have, v in self.samples.items() if wanted <= dict(have).items()]
        return value


def parse(text: str) -> dict[str, Family]:
    """Read an exposition; AssertionError says what is wrong with it."""
    assert text.endswith("\n")
    families: dict[str, Family] = {}
    lines = text[:-1].split("\n")
    at = 0
    while at < len(lines):
        name, about = _header(lines[at], "HELP")
        again, kind = _header(lines[at + 1], "TYPE")
        assert again == name
        assert kind in ("counter", "gauge")
        assert name not in families, f"{name} twice"
        assert (kind == "counter") == name.endswith("_total"), name
        family = families[name] = Family(kind, about)
        at += 2
        while at < len(lines) and not lines[at].startswith("#"):
            labels, value = _sample(lines[at], name)
            assert labels not in family.samples, f"{lines[at]} twice"
            assert kind == "gauge" or value >= 0
            family.samples[labels] = value
            at += 1
        assert family.samples, f"{name} has no sample"
        names = {tuple(label for label, _ in labels) for labels in family.samples}
        assert len(names) == 1, f"{name}: not the same labels everywhere"
    return families


def _header(line: str, word: str) -> tuple[str, str]:
    match = re.fullmatch(rf"# {word} ({_NAME}) (.+)", line)
    assert match is not None, line
    assert re.fullmatch(r"(?:[^\\]|\\\\|\\n)*", match[2]), line
    return match[1], match[2]


def _sample(line: str, family: str) -> tuple[Labels, float]:
    match = _SAMPLE.fullmatch(line)
    assert match is not None, line
    assert match[1] == family, line
    assert _VALUE.fullmatch(match[3]), line
    return _labels(match[2]), float(match[3])


def _labels(text: str | None) -> Labels:
    if text is None:
        return ()
    found, at = [], 0
    while at < len(text):
        match = _LABEL.match(text, at)
        assert match is not None, text
        value = re.sub(r"\\(.)", lambda escape: _UNESCAPED[escape[1]], match[2])
        found.append((match[1], value))
        at = match.end()
        if at < len(text):
            assert text[at] == ",", text
            at += 1
            assert at < len(text), text
    assert found
    assert len({name for name, _ in found}) == len(found), text
    return tuple(found)
