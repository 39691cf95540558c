"""YAML that asks for too much: what a careless or a malicious hand puts where settings belong."""

from pathlib import Path

LEVELS = 10
LAUGHS = "\n".join(
    ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    + [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, LEVELS)]
)
"""Some hundred bytes that stand for 9 to the 10th words."""

MERGES = "\n".join(
    ["a0: &a0 {ha: 1}"]
    + [f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 9)}]}}" for level in range(1, LEVELS)]
)
"""The same with mappings that are merged, which a loader does at once."""

HOSTILE = {
    "laughs": LAUGHS,
    "merges": MERGES,
    "deep": "a: " + "[" * 200_000,
    "deep blocks": "\n".join(" " * level + "a:" for level in range(200)),
    "large": "key: " + "x" * 1000,
    "many lines": "key: value\n" * 100,
    "list": "- clips\n- results\n",
    "text": "clips",
    "binary": "\0\1\2",
    "tag": "!!python/object/apply:os.system [true]",
}
"""By what it is; each must be refused in a second or two, with a line that names its file."""

TIMES = {"large": 100_000, "many lines": 100_000}  # 100 MB each


def write_hostile(path: Path, kind: str) -> None:
    """Write a file of a kind of HOSTILE."""
    with path.open("w") as file:
        for _ in range(TIMES.get(kind, 1)):
            file.write(HOSTILE[kind])
