"""What is shown in place of ids."""

from lib.core.names import name_ids, name_of, show_names


def test_names_are_found_by_ids() -> None:
    """Only what differs is kept; a stage, a mask or a method after the clip is none of its edits."""
    names = name_ids("a-clip-1", "a clip\n", {"red": "red", "edit-2": "красный"})
    assert names == {"a-clip-1": "a clip\\n", "a-clip-1/edit-2": "красный"}
    assert (name_of(names, "a-clip-1"), name_of(names, "a-clip-1", "red"), name_of(names, "b")) == (
        "a clip\\n",
        "red",
        "b",
    )
    assert show_names(names, ["a-clip-1", "edit-2", "mask_lora"]) == ["a clip\\n", "красный", "mask_lora"]
    assert show_names(names, ["a-clip-1", "train_lora.edit"]) == ["a clip\\n", "train_lora.edit"]
