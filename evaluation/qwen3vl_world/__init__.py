"""A small ray-cast building with a camera robot in it: what the demo walks through and closed loops are judged in.

It stands for what a real site has and a test must not need: rooms, a camera, a body with inertia and delays. Everything
takes `now` as an argument, so a walk can run on a virtual clock, bit-identical per seed."""
