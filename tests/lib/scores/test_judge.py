"""A vision-language model's ratings: of the frames it is shown, under its own probabilities, the same each time."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLImageProcessor,
)

from lib.scores.judge import INSTRUCTION, NUM_REPEATS, QUESTIONS, Judge, judge_video, load_judge, show_frames

CPU = torch.device("cpu")
SPECIAL = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")


def save_judge(folder: Path) -> None:
    """Write a tiny Qwen2.5-VL of random weights, whose tokenizer knows words by their letters."""
    letters = [chr(code) for code in range(32, 127)] + ["\n", "Ġ", "Ċ"]
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *dict.fromkeys(letters)])}
    backend = Tokenizer(models.WordLevel({**vocabulary, "[UNK]": len(vocabulary)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", extra_special_tokens=list(SPECIAL))
    tokenizer.save_pretrained(folder)
    size = {"shortest_edge": 56 * 56, "longest_edge": 112 * 112}
    Qwen2VLImageProcessor(patch_size=14, merge_size=2, temporal_patch_size=2, size=size).save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]},
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "num_heads": 4,
            "intermediate_size": 64,
            "out_hidden_size": 32,
            "patch_size": 14,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
    )
    model = Qwen2_5_VLForConditionalGeneration(config).eval()
    torch.nn.init.normal_(model.lm_head.weight, std=1.0)  # as they begin, all words are as likely as any other
    model.save_pretrained(folder)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """It, loaded from its folder."""
    folder = tmp_path_factory.mktemp("judge") / "model"
    save_judge(folder)
    return load_judge(str(folder), CPU, torch.float32, download=False)


def _videos() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    source = generator.integers(0, 255, (9, 28, 56, 3), np.uint8)
    return 255 - source, source


def test_ratings_are_repeatable_and_of_what_is_shown(judge: Judge) -> None:
    """For each question a rating from 1 to 5 and its spread; another video has another."""
    edited, source = _videos()
    ratings = judge_video(judge, edited, source)
    assert ratings.keys() == {*QUESTIONS, *(f"{name}_spread" for name in QUESTIONS)}
    assert all(1 < ratings[name] < 5 and ratings[f"{name}_spread"] > 0 for name in QUESTIONS)
    assert judge_video(judge, edited, source) == ratings
    assert judge_video(judge, source, source) != ratings


def test_the_rating_is_the_models_own_expectation(judge: Judge) -> None:
    """As its logits give it, for the words and pictures that docs/scores.md shows."""
    edited, source = _videos()
    pictures = show_frames(edited, source, 0)
    shown = judge.image_processor(images=pictures, return_tensors="pt")
    counts = (shown["image_grid_thw"].prod(-1) // 4).tolist()
    parts = "".join(f"<|vision_start|>{'<|image_pad|>' * count}<|vision_end|>" for count in counts)
    question = INSTRUCTION.format(question=QUESTIONS["judge_motion"])
    text = (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        f"{parts}{question}<|im_end|>\n<|im_start|>assistant\n"
    )
    ids = judge.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
    kinds = (ids == judge.model.config.image_token_id).long()
    assert int(kinds.sum()) == sum(counts)
    with torch.no_grad():
        logits = judge.model(
            input_ids=ids,
            mm_token_type_ids=kinds,
            pixel_values=shown["pixel_values"],
            image_grid_thw=shown["image_grid_thw"],
        ).logits[0, -1]
    shares = logits[judge.tokenizer.convert_tokens_to_ids(list("12345"))].softmax(-1)
    ratings = judge_video(judge, edited, source)
    alone = float((shares * torch.arange(1, 6)).sum())
    spread = ratings["judge_motion_spread"] * NUM_REPEATS**0.5
    assert abs(alone - ratings["judge_motion"]) <= spread + 1e-6, "one of the three"


def test_frames_are_spread_over_the_clip() -> None:
    """Frame 0 first, source above edit; other ones in each repeat; a short clip has each once."""
    edited, source = _videos()
    first, *_ = show_frames(edited, source, 0)
    assert (np.asarray(first)[:28] == source[0]).all() and (np.asarray(first)[28:] == edited[0]).all()
    shown = [{picture.tobytes() for picture in show_frames(edited, source, repeat)} for repeat in range(NUM_REPEATS)]
    assert len(set(map(frozenset, shown))) == NUM_REPEATS and all(4 <= len(one) <= 6 for one in shown)
    assert len(show_frames(edited[:1], source[:1], 2)) == 1
