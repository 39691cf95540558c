"""Pixels in and out: arrays, reading, writing, sound, crops, frames, windows, optical flow, cuts.

alignment       pictures and videos that a user made for frames of a clip, brought to the model's crop
arrays          the two array layouts of a video, and the only place that turns one into the other
crops           how pictures are brought to the model's size: a cover-resize, then a centre crop
cuts            where one shot ends and another begins: nothing may be followed across a cut
extraction      the frames of a source video that are edited, at the model's size, with their sound and times
flow            dense optical flow between neighbouring frames with OpenCV's DIS, which needs no weights
flow_file       optical flow in a file, a thirtieth of what its floats would take
frame_matching  which frame of a video that another tool made belongs to which frame of a clip
images          still pictures in and out: whatever a user's file holds, shown as it should look
orientation     how a stored picture is turned and mirrored to be shown: one notation for images and videos
probing         what a video file says of itself: size, length, rate; and whether it is whole
reading         read video with PyAV: a user's frames as players show them, and every frame of the files that we wrote
sound           the sound of a clip: cut to the edited frames, and written beside them
streams         open a user's video and choose its picture stream: the same one for whoever asks
times           time stamps as files have them: missing, equal, falling or begun anew; and as a video needs them: rising
tone            pictures of a high dynamic range, as screens of a standard range show them
windows         which frames are edited, and the overlapping windows of a longer clip
writing         write videos: without loss for what feeds a model, H.264 for people to look at
"""
