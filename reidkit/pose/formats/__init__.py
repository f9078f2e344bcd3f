"""Files of keypoints that other programs write, each read into ``LabelledImage``s.

``recognise`` says which format a file or folder is; ``people`` brings all of them to the crops.
Formats of plugins come in by name; see ``reidkit.plugin.extend``.
"""

from reidkit.pose.formats.recognise import FORMATS, label_reader, recognise

__all__ = ["FORMATS", "label_reader", "recognise"]
