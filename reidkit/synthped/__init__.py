"""SynthPed: a pedestrian benchmark that the project renders itself, with everything known of it.

In reading order: ``presets`` (every strength), ``keys`` (randomness by name), ``people`` (who),
``pose`` (how they stand), ``strokes``, ``body`` and ``head`` (what is drawn), ``occluders``,
``scene``, ``camera`` and ``clock`` (where and when), ``shade`` and ``world`` (the picture),
``truth``, ``layout`` (files on disk), ``reader``, ``sheet``.
"""
