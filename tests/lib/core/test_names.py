"""What is shown in place of ids."""

from lib.core.names import method_name, name_ids, name_of, show_names


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


def test_outside_methods_are_shown_as_people_named_them() -> None:
    """By the name kept for an edit, or else by what follows the prefix; ours as they are."""
    names = {"a/b/outside_a-tool-1": "a tool"}
    assert method_name(names, "a", "b", "outside_a-tool-1") == "a tool"
    assert method_name(names, "a", "c", "outside_tool") == "tool"
    assert method_name(names, "a", "b", "mask_lora") == "mask_lora"
    assert show_names(names, ["a", "b", "outside_a-tool-1", "evaluate"]) == ["a", "b", "a tool", "evaluate"]
