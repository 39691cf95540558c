"""Describe scenes in plain English, as the captioner does and the transformer is prompted."""

from demo.world.scenes import Figure, Motion, Scene, is_mover


def caption(scene: Scene, with_motion: bool = True) -> str:
    """Describe a scene, such as "a red star moving to the right and a gold square over a green ground".

    The figures are named from left to right as the first frame shows them, so that this frame alone tells the order.

    Args:
        scene: what to describe.
        with_motion: False = only what the first frame shows.
    """
    from_left = sorted(scene.figures, key=lambda figure: figure.motion.path[0])
    names = [describe_figure(figure) + (describe_change(figure) if with_motion else "") for figure in from_left]
    return f"{' and '.join(names) or 'nothing'} over {_article(scene.ground)} {scene.ground} ground"


def describe_figure(figure: Figure) -> str:
    """Name a figure as the first frame shows it, such as "a red star with white stripes"."""
    phrase = f"{_article(figure.colour)} {figure.colour} {figure.shape}"
    if figure.stripe_colour is not None:
        phrase += f" with {figure.stripe_colour} stripes"
    if figure.mark is not None:
        phrase += f" with {_article(figure.mark.colour)} {figure.mark.colour} {figure.mark.shape} on it"
    return phrase


def describe_change(figure: Figure) -> str:
    """Say what later frames show of a figure, such as " moving to the right that becomes orange"; may be empty."""
    phrase = f" moving {_direction(figure.motion)}" if is_mover(figure) else ""
    changes = ["turns"] if figure.flips else []
    if figure.late_colour not in (None, figure.colour):
        changes.append(f"becomes {figure.late_colour}")
    return phrase + (f" that {' and '.join(changes)}" if changes else "")


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _direction(motion: Motion) -> str:
    (x1, y1), (x2, y2) = motion.path[0], motion.path[-1]
    if abs(x2 - x1) >= abs(y2 - y1):
        return "to the right" if x2 > x1 else "to the left"
    return "down" if y2 > y1 else "up"
