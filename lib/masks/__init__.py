"""From what an edit changed to its region in every frame; owns mask polarity (True, white = edit).

boxes              boxes of a region over the frames of a video: geometry, gaps and smoothing
clip_motion        the motion of a clip, by which regions are followed: measured once for all its edits
compositing        outside its mask an edited picture should be the source: put back, or colours matched
detector           detect objects with ultralytics YOLO, without unpickling foreign code
detector_classes   which classes a detector knows, asked before any work
differences        which pixels an edit changed: the edited picture against the source frame it was made from
edit_checks        look at what each edit changes before any job: one that changes nothing is told at once
edit_mask          from what an edit changed in a few frames to the region of every frame that may change
facts              what a person needs to know to trust a mask that nobody watched being made
followers          the prompted trackers of a run: those whose weights are configured, loaded when first asked
ground_motion      follow what stands on the ground by the camera's motion
object_links       one object through a whole clip, linked from detections by look and motion
path_gaps          where a followed region lies in the frames in which it was not seen
random_masks       masks of no edit: loose boxes that wander through a clip
refusals           edits that are not made for their mask must not stop their clip's others
region_flow        follow a region by optical flow, point by point: needs no weights and no detector
region_paths       where the regions of an edited frame lie in the others: a ladder of methods
sam2               follow an edited region by its outline: SAM 2, prompted with the region's box in one frame
shapes             from paths of regions to masks: loose boxes, tight outlines, noisy outlines
sheet              show people what is masked: an overlay video, and one picture to judge a mask by
ultralytics_setup  ultralytics, kept offline, quiet, without torchvision, and away from other libraries
yoloe              follow a region by a visual prompt: YOLOE looks in every frame for what its box shows
"""
