"""In which partitions a search can find anything: with the persons whom one of its conditions names."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from healthsvc.fhir.registry import Registry
from healthsvc.store.search import ast
from healthsvc.store.tenancy.within import Parts, of_people

if TYPE_CHECKING:
    from healthsvc.store.store import Store

ALWAYS: Final = ("patient", "subject")
"""Parameters that put whatever they find into the compartment of the Patient whom they name, where its type has one."""


def about(store: "Store", registry: Registry, types: Sequence[str], nodes: Sequence[ast.Node]) -> Parts | None:
    """The parts that a search with these conditions can find anything in, where one of them names the persons; None: any."""
    if store.writable or not all(map(stays, nodes)) or not store.database.laid.out(store.connection):
        return None
    theirs = {
        f"{type}.{code}"
        for type in types
        if type != "Patient" and (codes := registry.patient_compartment(type))
        for code in (*codes, *ALWAYS, ast.COMPARTMENT)
    }
    for node in nodes:
        if isinstance(node, ast.References) and theirs.issuperset(node.params):
            persons = all(one.endswith(".patient") for one in node.params)  # which leads to nobody else, so the type may be left out
            if all(type == "Patient" or (type is None and persons) for type, _ in node.wanted):
                return of_people(store, [id for _, id in node.wanted])
    return None


def stays(node: ast.Node) -> bool:
    """Whether a condition looks at nothing but the resource itself."""
    match node:
        case ast.All(nodes=nodes) | ast.Any(nodes=nodes):
            return all(map(stays, nodes))
        case ast.Not(node=inner) | ast.Whole(node=inner):
            return stays(inner)
    return not isinstance(node, (ast.Chained, ast.Referred, ast.Under))
