"""What is compared: shared LoRAs and how each is trained, and arms, each a way to come to a clip's LoRA from one."""

import re
from dataclasses import dataclass, replace

from demo.evaluation.rows import CONTROLS
from lib.training.loop import Optimizer

NAIVE = "naive_lora"
UNTRAINED = ("base", "base_masked", "all_ones", "all_zeros")
TRAINED = ("mask_lora", "unlocked", NAIVE, "tight_mask", "noisy_mask", "composited", "locked_composited")


@dataclass(frozen=True)
class Shared:
    """A shared LoRA.

    Attributes:
        clips: their number, of the train split; or negative: the first of the evaluated scenes, so many.
        samples: seen in all, counted with repeats.
        kinds: of each clip's samples, see `cases.training_sample`.
        batch: samples a step.
        rate: the learning rate's peak.
        rank: of the LoRA.
        layers: that are trained, a regular expression found in their names; empty: all.
        seed: of its weights and draws.
    """

    clips: int = 200
    samples: int = 8000
    kinds: tuple[str, ...] = ("own",)
    batch: int = 8
    rate: float = 1e-3
    rank: int = 16
    layers: str = ""
    seed: int = 0

    @property
    def name(self) -> str:
        """Its file's name."""
        kinds = "+".join(self.kinds) + "".join(f"-{part}" for part in re.findall("[a-z0-9_]+", self.layers))
        return f"{self.clips}-{self.samples}-{kinds}-b{self.batch}-r{self.rank}-lr{self.rate:g}-s{self.seed}"


@dataclass(frozen=True)
class Arm:
    """A way to come to the LoRA that an edit is generated with.

    Attributes:
        start: the shared LoRA; None: a fresh one.
        steps, rate, copies: of stage 1: its number, learning rate and share on recoloured copies.
        method: a built-in one of `lib.config.methods`, whose masks, lock and composite are used, or a control.
        decay: weight decay.
        anchor: decay towards the start, of the same unit.
        layers: trained in stage 1, a regular expression found in their names; empty: all.
        late_steps, late_rate, late_share: of stage 2: steps, rate, share of the steps on the reference; 0 steps: none.
        set: of scenes: `main`, `late`, or `any` but late ones.
    """

    start: Shared | None
    steps: int
    rate: float
    copies: float = 0.0
    method: str = "mask_lora"
    decay: float = 0.01
    anchor: float = 0.0
    layers: str = ""
    late_steps: int = 0
    late_rate: float = 1e-3
    late_share: float = 0.33
    set: str = "main"

    def optimizer(self, rate: float) -> Optimizer:
        """Return its AdamW, as config.yaml's but for the rate."""
        return Optimizer(rate, 0.5, 0.9, 0.99, self.decay, 1.0)


def main_arms(seed: int) -> list[Arm]:
    """Fresh and shared at several numbers of steps, the naive LoRA from nothing and from its own shared start."""
    shared, naive = Shared(seed=seed), Shared(kinds=("naive",), seed=seed)
    fresh = [Arm(None, steps, 2e-3, copies=0.67) for steps in (0, 20, 40, 80, 150)]
    started = [Arm(shared, steps, 5e-4) for steps in (0, 5, 10, 15, 20, 40)]
    naives = [Arm(None, 150, 2e-3, copies=0.67, method=NAIVE)]
    naives += [Arm(naive, steps, 5e-4, method=NAIVE) for steps in (0, 10)]
    return [*fresh, *started, *naives]


def late_arms(seed: int) -> list[Arm]:
    """Stage 2 from a fresh stage 1 and from shared starts; late_steps 0: what the reference brings."""
    shared = Shared(seed=seed)

    def late(arm: Arm, steps: int, rate: float = 1e-3, share: float = 0.33) -> Arm:
        return replace(arm, late_steps=steps, late_rate=rate, late_share=share, set="late")

    fresh = Arm(None, 150, 2e-3, copies=0.67)
    none, slow, fast = Arm(shared, 0, 5e-4), Arm(shared, 10, 5e-4), Arm(shared, 15, 1e-3, copies=0.67)
    arms = [late(fresh, 0), late(fresh, 100)]
    arms += [late(none, steps) for steps in (0, 20, 50, 100)] + [late(none, 50, 5e-4), late(none, 20, share=0.67)]
    arms += [late(slow, steps) for steps in (0, 20, 50)] + [late(slow, 20, 2e-3), late(slow, 20, share=0.67)]
    return [*arms, *(late(fast, steps) for steps in (0, 20, 50, 100))]


def tuning_arms(seed: int) -> list[Arm]:
    """Ways not to forget, and to learn the clip in few steps."""
    shared = Shared(seed=seed)
    arms = [Arm(shared, 10, rate) for rate in (2e-4, 1e-3, 2e-3)]
    arms += [Arm(shared, 15, rate) for rate in (1e-3, 2e-3)]
    arms += [Arm(shared, 15, rate, copies=0.67) for rate in (5e-4, 1e-3, 2e-3)]
    arms += [Arm(shared, 10, rate, copies=0.67) for rate in (1e-3, 2e-3)]
    arms += [Arm(shared, 40, rate, copies=0.67) for rate in (5e-4, 1e-3, 2e-3)]
    arms += [Arm(shared, 15, 2e-3, copies=0.67, anchor=anchor) for anchor in (20.0, 100.0)]
    return arms + [Arm(shared, 15, 2e-3, copies=0.67, layers=layers) for layers in ("attn1", "ffn")]


def layer_arms(seed: int) -> list[Arm]:
    """Which layers learn the clip: 2e-3 on recoloured copies for two thirds of 15 steps, unless it says otherwise."""
    shared, attn1 = Shared(seed=seed), r"attn1\."

    def own(layers: str, steps: int = 15, rate: float = 2e-3, copies: float = 0.67, anchor: float = 0.0) -> Arm:
        return Arm(shared, steps, rate, copies=copies, layers=layers, anchor=anchor)

    arms = [own(attn1), own(attn1, rate=1e-3, copies=0.0), own(attn1, copies=0.0), own(attn1, copies=0.33)]
    arms += [own(attn1, rate=rate) for rate in (3e-3, 5e-3)] + [own(attn1, steps=10, rate=3e-3)]
    arms += [own(attn1, anchor=20.0), own(r"attn2\."), own(r"attn[12]\."), own(r"attn1\.to_[qk]", rate=4e-3)]
    return [*arms, own(r"attn1\.to_(v|out)"), own(attn1, steps=40), own(attn1, steps=40, rate=1e-3, copies=0.0)]


def needs_arms(seed: int) -> list[Arm]:
    """What the shared LoRA itself needs: clips, samples, masks, size, rank; each without and with steps of its own."""
    attn1 = r"attn1\."
    shared = [Shared(clips, samples) for clips in (10, 20, 50, 200, 500) for samples in (500, 2000, 8000)]
    shared += [Shared(samples=samples) for samples in (1000, 4000, 16000)]
    shared += [Shared(500, 16000), Shared(500, 16000, rank=32), Shared(rate=2e-3), Shared(samples=2000, rate=2e-3)]
    kinds = [("random",), ("own", "random"), ("short",), ("small",), ("own", "copy")]
    shared += [Shared(kinds=kind, samples=samples) for kind in kinds for samples in (2000, 8000)]
    shared += [Shared(samples=2000, batch=batch, rate=rate) for batch, rate in ((4, 1e-3), (2, 1e-3), (2, 5e-4))]
    shared += [Shared(rank=rank) for rank in (4, 8, 32)]
    shared += [Shared(layers=attn1), Shared(rate=2e-3, layers=attn1)]
    shared += [Shared(-number, samples) for number in (10, 20) for samples in (500, 2000, 8000)]
    shared.sort(key=lambda one: one.samples)  # those that are trained first are edited with first
    arms = [Arm(one, 0, 5e-4) for one in shared] + [Arm(one, 15, 2e-3, copies=0.67, layers=attn1) for one in shared]
    arms += [Arm(one, 10, 5e-4) for one in shared]
    return sorted(arms, key=lambda arm: bool(arm.start and arm.start.samples > 8000)) if seed == 0 else []


def release_arms(seed: int) -> list[Arm]:
    """What a new model ships with: its shared LoRAs, the rate of a clip's own steps, and what both are worth."""
    attn1 = r"attn1\."
    shared = Shared(samples=16000, rate=2e-3, seed=seed)
    naive, small = replace(shared, kinds=("naive",)), replace(shared, kinds=("small",))
    fresh = Arm(None, 150, 1e-3, copies=0.67)
    own = Arm(shared, 15, 2e-3, copies=0.33, layers=attn1)
    arms = [fresh, replace(fresh, method=NAIVE), replace(fresh, rate=2e-3), Arm(None, 40, 1e-3, copies=0.67)]
    arms += [own, replace(own, steps=0), replace(own, start=naive, method=NAIVE)]
    arms += [replace(own, start=naive, method=NAIVE, steps=0), replace(own, start=small)]
    arms += [replace(own, rate=rate) for rate in (1e-3, 4e-3)] + [replace(own, rate=1e-3, layers="")]
    arms += [replace(own, steps=40)]
    arms = [replace(arm, set="any") for arm in arms]
    late = replace(own, set="late")
    ends = [replace(late, late_steps=steps, late_rate=2e-3) for steps in (20, 50, 100)]
    return [*arms, late, *ends, replace(fresh, set="late", late_steps=100)]


def method_arms(_: int) -> list[Arm]:
    """The methods of `make ablation`, each from nothing with config.yaml's steps, beside the controls; for any seed."""
    trained = [Arm(None, 150, 2e-3, copies=0.67, method=method, set="any") for method in TRAINED]
    others = [Arm(None, 0, 2e-3, method=method, set="any") for method in (*UNTRAINED, *CONTROLS)]
    late = replace(trained[0], set="late")
    controls = [replace(arm, set="late") for arm in others if arm.method in CONTROLS]
    return [*trained, *others, late, replace(late, late_steps=100), *controls]


STUDIES = {"main": main_arms, "late": late_arms, "tuning": tuning_arms, "layers": layer_arms, "needs": needs_arms}
STUDIES |= {"release": release_arms, "methods": method_arms}
