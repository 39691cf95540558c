"""Find the objects of a clip and its motion, once for all edits and shapes of mask."""

from pathlib import Path

from lib.config.sections import MaskSection, ModelSection
from lib.core.files import write_json
from lib.core.provenance import describe
from lib.execution.devices import prepare_torch
from lib.masks.clip_motion import measure_flows
from lib.masks.detector import find_objects
from lib.masks.object_links import Detection, detections_as_json
from lib.stages.job import Files, Job, Params
from lib.video.flow_file import write_flows
from lib.video.reading import read_video


class Inputs(Files):
    """The clip at the model's size."""

    video: Path


class Outputs(Files):
    """Detections and the classes that the detector knows, as JSON; optical flow between neighbours."""

    objects: Path
    motion: Path


class DetectObjects(Params):
    """mask: detector (None: no objects) and confidence; model: device."""

    mask: MaskSection
    model: ModelSection


def detect_objects(inputs: Inputs, outputs: Outputs, params: DetectObjects, job: Job) -> None:
    """Write what masks are made from beside the edited frames."""
    video, detector = read_video(inputs.video), params.mask.detector
    detections: list[Detection] = []
    classes: list[str] = []
    if detector is not None:
        device, _ = prepare_torch(params.model.device, "float32", job.num_threads)
        detections, classes = find_objects(video, detector, params.mask.confidence, device)
    print(f"{len(detections)} objects in {len(video)} frames")
    write_flows(outputs.motion, *measure_flows(video))
    made = describe("detect_objects", params.described(), [inputs.video], [])
    write_json(outputs.objects, {"classes": classes, "detections": detections_as_json(detections), "provenance": made})
