"""Markdown tables of what the nodes are told: the README shows them, a test compares."""

from .node_parameters import NODE_PARAMETERS


def node_parameter_table() -> str:
    """Every parameter that is a node's own; the configuration's keys are parameters of every node besides."""
    rows = ["| node | parameter | default | unit | range | meaning |", "|---|---|---|---|---|---|"]
    for node, leaves in NODE_PARAMETERS.items():
        for leaf in leaves:
            default = str(leaf.value).lower() if leaf.kind == "bool" else leaf.value
            shown = f"`{default}`" if default != "" else ""
            rows.append(f"| `{node}` | `{leaf.key}` | {shown} | {leaf.unit} | {leaf.range_text} | {leaf.meaning} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(node_parameter_table(), end="")
