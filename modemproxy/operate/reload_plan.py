"""What another configuration would change, and what it would leave alone. Pure.

A listener is known by its name. One whose address or protocol changes is replaced: it
lets nobody in any more, and those inside may finish. Of one whose rules change the port
and those inside stay; the rules are for those who come later. What did not change is not
touched.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from typing import Final

from modemproxy.config import Config, Dns, Endpoint, Forward, Proxy
from modemproxy.module.rights import restart_keys
from modemproxy.operate.reload_words import count, differing, spell_changes
from modemproxy.surfaces.assembly import Entry, entries_of

#: Sections with a rule of their own here; every other one is followed as it is read.
_OWN: Final = frozenset({"modem", "timeouts", "forwards", "servers", "proxies", "dns", "path"})


@dataclass(slots=True)
class Plan:
    """From one configuration to another.

    Attributes:
        old, new: the two.
        added, removed, replaced, changed, kept: listeners of this host, by name.
        kept_servers: servers on the module that do not change.
        reset: the module is brought up anew, and every connection is reset.
        words: all of it, for people; empty when nothing differs.
    """

    old: Config
    new: Config
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    kept_servers: list[str] = field(default_factory=list)
    reset: bool = False
    words: list[str] = field(default_factory=list)

    @property
    def opening(self) -> list[str]:
        """Who needs a port."""
        return [*self.added, *self.replaced]

    @property
    def closing(self) -> list[str]:
        """Who gives one up."""
        return [*self.removed, *self.replaced]


def plan_of(
    old: Config, new: Config, inside: Callable[[str], int], *, in_service: bool = True
) -> Plan:
    """Compare two configurations.

    Args:
        old: what is served.
        new: what is to be.
        inside: says how many connections a listener has; all of them for an empty name.
        in_service: the module is.
    """
    plan = Plan(old, new)
    keys = restart_keys(old.modem, new.modem, in_service=in_service)
    plan.reset = bool(keys)
    plan.words += _modem_words(plan, inside)
    plan.words += spell_changes(old.timeouts, new.timeouts, "timeouts.")
    _compare_listeners(plan, inside)
    plan.words += _server_words(plan, inside)
    plan.words += _other_words(plan)
    return plan


def _modem_words(plan: Plan, inside: Callable[[str], int]) -> Iterator[str]:
    yield from spell_changes(plan.old.modem, plan.new.modem, "modem.")
    if plan.reset:
        yield f"the module is brought up anew: {count(inside(''))} reset"


# -- listeners of this host -----------------------------------------------------------------


def _compare_listeners(plan: Plan, inside: Callable[[str], int]) -> None:
    old, new = entries_of(plan.old), entries_of(plan.new)
    for name, entry in old.items():
        if name not in new:
            plan.removed.append(name)
            plan.words.append(f"{name}: removed ({_leaving(inside(name))})")
        elif place_of(entry) != place_of(new[name]):
            plan.replaced.append(name)
            way = f"{kind_of(entry)} {entry.listen} -> {kind_of(new[name])} {new[name].listen}"
            plan.words.append(f"{name}: moved, {way} ({_leaving(inside(name))})")
        elif entry != new[name]:
            plan.changed.append(name)
            what = "; ".join(spell_changes(entry, new[name]))
            plan.words.append(f"{name}: {what}{_staying(inside(name))}")
        else:
            plan.kept.append(name)
    for name, entry in new.items():
        if name not in old:
            plan.added.append(name)
            plan.words.append(f"{name}: added, {_where(entry)}")


def place_of(entry: Entry) -> tuple[str, object]:
    """What a listener can not change without being another one: protocol and address."""
    return kind_of(entry), entry.listen


def kind_of(entry: Entry) -> str:
    """Give the protocol that clients speak; ``dns`` stands for both of its."""
    return "dns" if isinstance(entry, Dns) else entry.protocol


def overlap(one: Endpoint, other: Endpoint) -> bool:
    """Whether two listeners of one transport would be in each other's way."""
    a, b = ip_address(one.host), ip_address(other.host)
    if one.port != other.port or not one.port or a.version != b.version:
        return False
    return a == b or a.is_unspecified or b.is_unspecified


def _where(entry: Entry) -> str:
    match entry:
        case Forward():
            return f"{entry.protocol} {entry.listen} to {entry.connect}"
        case Proxy():
            return f"{entry.protocol} {entry.listen}"
    return f"{entry.listen}"


def _leaving(number: int) -> str:
    if not number:
        return "no connections"
    return f"its {count(number)} may finish"


def _staying(number: int) -> str:
    return f" (old rules for its {count(number)})" if number else ""


# -- servers on the module, and the rest ----------------------------------------------------


def _server_words(plan: Plan, inside: Callable[[str], int]) -> Iterator[str]:
    old = {server.name: server for server in plan.old.servers}
    new = {server.name: server for server in plan.new.servers}
    for name, server in old.items():
        if name not in new:
            what = f"removed, port {server.port} of the module"
            yield f"{name}: {what} ({_leaving(inside(name))})"
        elif server.port != new[name].port:
            yield f"{name}: {'; '.join(spell_changes(server, new[name]))} of the module"
        elif server != new[name]:
            what = "; ".join(spell_changes(server, new[name]))
            yield f"{name}: {what}{_staying(inside(name))}"
        else:
            plan.kept_servers.append(name)
    for name, server in new.items():
        if name not in old:
            yield f"{name}: added, port {server.port} of the module to {server.connect}"


def _other_words(plan: Plan) -> Iterator[str]:
    for section in (item.name for item in fields(Config) if item.name not in _OWN):
        old, new = getattr(plan.old, section), getattr(plan.new, section)
        if old is None or new is None:
            if old is not new:
                yield f"{section}: {'added' if old is None else 'removed'}"
        elif differing(old, new):
            yield from spell_changes(old, new, f"{section}.")
