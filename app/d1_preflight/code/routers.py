"""The paths below which routers answer: Hono's `route` and `basePath`, express' `use`, itty's."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from d1_preflight.code.declarations import arguments_of, field_text, plain, text_of
from d1_preflight.code.expression import Import
from d1_preflight.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from tree_sitter import Node

    from d1_preflight.code.scopes import Scope, Walked

_MOUNTS = frozenset({"route", "use", "mount"})
_DEPTH = 8
_MOST = 20


@dataclass(frozen=True, slots=True)
class Mount:
    """A router that is put below a path of another one; `imported` where it is another file's."""

    router: str
    path: str
    name: str
    imported: Import | None = None


@dataclass(frozen=True, slots=True)
class FileRouters:
    """One file's routers: their own base paths and the routers they come from, and the mounts.

    `exported` has the local names by the exported ones, `made` the routers by the functions that
    return them.
    """

    bases: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    exported: Mapping[str, str] = field(default_factory=dict)
    made: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RouterPaths:
    """Finds below which paths the routers of a project answer."""

    of: Callable[[str], FileRouters]
    importers: Callable[[str], Iterable[str]]
    find: Callable[[str, str], str]

    def prefixes(
        self, path: str, router: str, above: tuple[tuple[str, str], ...] = ()
    ) -> tuple[str, ...]:
        """What stands before the routes of a router of a file; "" where nothing does."""
        if (path, router) in above or len(above) >= _DEPTH:
            return ()
        base, parent = self.of(path).bases.get(router, ("", ""))
        below = (*above, (path, router))
        outer = list(self.prefixes(path, parent, below)) if parent and parent != router else []
        for other, mount in self._mounts(path, router):
            outer += [joined(p, mount.path) for p in self.prefixes(other, mount.router, below)]
        return tuple(dict.fromkeys(joined(one, base) for one in outer or [""]))[:_MOST]

    def _mounts(self, path: str, router: str) -> Iterator[tuple[str, Mount]]:
        here = self.of(path)
        for mount in here.mounts:
            if mount.imported is None and here.made.get(mount.name, mount.name) == router:
                yield path, mount
        for other in self.importers(path):
            for mount in self.of(other).mounts:
                brought = mount.imported
                if brought is None or self.find(other, brought.specifier) != path:
                    continue
                local = here.exported.get(brought.name, brought.name)
                if here.made.get(local, local) == router:
                    yield other, mount


def joined(prefix: str, path: str) -> str:
    """A path below another one."""
    whole = f"{prefix.rstrip('/')}/{path.strip('/')}".rstrip("/")
    return whole.removesuffix("/*") if path.endswith("*") and prefix != path else whole


def routers_of(walked: "Walked") -> FileRouters:
    """The routers of a parsed file."""
    mounts: list[Mount] = []
    for call in walked.calls:
        if call.is_method and call.name in _MOUNTS:
            mounts += _mounted(call.node, call.scope)
    returned = ((f.name, f.returns[-1][0]) for f in walked.functions.values() if f.returns)
    made = {name: text_of(node) for name, node in returned if name and node.type == "identifier"}
    exported = dict(walked.exports)
    if walked.default is not None and walked.default.type == "identifier":
        exported["default"] = text_of(walked.default)
    return FileRouters(_bases(walked), tuple(mounts), exported, made)


def _bases(walked: "Walked") -> dict[str, tuple[str, str]]:
    """The variables on which methods are called and that are routers below a path or of another."""
    found: dict[str, tuple[str, str]] = {}
    for call in walked.calls:
        of = call.called.child_by_field_name("object") if call.is_method else None
        if of is not None and of.type == "identifier" and (name := text_of(of)) not in found:
            found[name] = _base(name, call.scope)
    return {name: base for name, base in found.items() if any(base)}


def router_of(call: "Node") -> str:
    """The variable on which a method is called, also at the end of a chain; "" where none is."""
    node: Node | None = call
    while node is not None and node.type == "call_expression":
        function = node.child_by_field_name("function")
        if function is None or function.type != "member_expression":
            return ""
        node = function.child_by_field_name("object")
    return text_of(node) if node is not None and node.type == "identifier" else ""


def literal_of(node: "Node") -> str:
    """The text of a string or of a template without holes; "" for anything else."""
    if node.type not in ("string", "template_string"):
        return ""
    return text_of(node)[1:-1] if "${" not in text_of(node) else ""


def method_of(call: "Node") -> str:
    """The name of the method that is called; "" for a plain function."""
    function = call.child_by_field_name("function")
    is_method = function is not None and function.type == "member_expression"
    return field_text(function, "property") if is_method else ""


def _mounted(call: "Node", scope: "Scope") -> Iterator[Mount]:
    router, arguments = router_of(call), arguments_of(call)
    if not router or len(arguments) < 2:  # noqa: PLR2004 - a path, and what answers below it
        return
    path = literal_of(arguments[0])
    for argument in arguments[1:] if path.startswith("/") else ():
        made = argument.type == "call_expression"
        named = argument.child_by_field_name("function") if made else argument
        if named is not None and named.type == "identifier":
            binding = scope.find(text_of(named))
            imported = binding.imported if binding is not None else None
            yield Mount(router, path, text_of(named), imported)


def _base(router: str, scope: "Scope") -> tuple[str, str]:
    """The base path that a router is made with, and the router that it comes from."""
    binding = scope.find(router)
    node = plain(binding.value) if binding is not None and binding.kind == "value" else None
    base, is_of_another = "", False
    while node is not None and node.type == "call_expression":
        arguments = arguments_of(node)
        if method_of(node) == "basePath" and arguments:
            base, is_of_another = joined(literal_of(arguments[0]), base), True
        if method_of(node) == "" and arguments:
            return joined(_base_option(arguments[0]), base), ""
        function = node.child_by_field_name("function")
        node = function.child_by_field_name("object") if function is not None else None
    is_named = node is not None and node.type == "identifier"
    return base, text_of(node) if node is not None and is_named and is_of_another else ""


def _base_option(node: "Node") -> str:
    """The `base` of itty's `Router({ base: "/api" })`."""
    for pair in node.named_children if node.type == "object" else ():
        key, value = pair.child_by_field_name("key"), pair.child_by_field_name("value")
        if key is not None and value is not None and text_of(key).strip("'\"") == "base":
            return literal_of(value)
    return ""
