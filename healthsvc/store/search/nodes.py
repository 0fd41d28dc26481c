"""What the nodes of a search can do: answer by an index of their own, be walked along, be asked by a pk alone."""

from typing import TypeGuard

from healthsvc.store.search import ast

TABLE_OF = {ast.Tokens: "ix_token", ast.References: "ix_reference"}


def by_pk_alone(node: ast.Node) -> bool:
    """Whether a test asks for nothing of the row but its pk."""
    match node:
        case ast.All(nodes=nodes) | ast.Any(nodes=nodes):
            return all(map(by_pk_alone, nodes))
        case ast.Not(node=inner) | ast.Whole(node=inner):
            return by_pk_alone(inner)
        case ast.Ids() | ast.OfType() | ast.Updated() | ast.Referred():
            return False
    return True


def indexed(node: ast.Node) -> bool:
    """Whether an index of its own answers: its parameters carry the type, and deleted resources have no entries."""
    if isinstance(node, ast.Any):
        return all(map(indexed, node.nodes))
    if isinstance(node, ast.All):
        return False
    return isinstance(
        node, (ast.Tokens, ast.Strings, ast.Dates, ast.Quantities, ast.References, ast.Uris, ast.Present, ast.Chained, ast.Under)
    )


def walkable(node: ast.Node) -> TypeGuard[ast.Tokens | ast.References]:
    """One full code or one full reference of one type: its entries stand in the order of pk."""
    if not isinstance(node, (ast.Tokens, ast.References)):
        return False
    return len(node.wanted) == 1 and len(node.params) == 1 and None not in node.wanted[0]
