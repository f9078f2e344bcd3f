"""DG-Net: a re-id network that learns from people whom it dresses itself.

1. ``layers``: reflect-padded blocks, AdaIN, MUNIT's layer norm.
2. ``appearance``: E_a, the re-id network; its pooled map is the code of *what one wears*.
3. ``structure``: E_s, grey image in, code of *pose, build and place* out; ``scene``: a departure,
   in which it sees no clothes.
4. ``decoder``: G, which puts an appearance into a structure; ``discriminator``: D, three scales.
5. ``losses``: every formula, and ``Term``, its weight as a function of the iteration.
6. ``teacher``: a trained run that says whom a composite looks like.
7. ``networks``: all five and the passes through them, ``frozen`` ones too; ``objective``: what is
   minimised; ``iteration``: one step of both, who moves whom; ``sampler``, ``model``.
8. ``matcher``: the test with two heads.

The claim: composites (N images give N x N) fed back online make the same network better at re-id.
"""

from . import (
    layers,
    appearance,
    structure,
    decoder,
    discriminator,
    losses,
    teacher,
    sampler,
    frozen,
    scene,
    networks,
    objective,
    iteration,
    model,
    matcher,
)
