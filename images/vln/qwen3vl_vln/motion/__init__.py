"""How a plan becomes velocities: pure arithmetic on poses. No clock, no network; time is an argument everywhere."""
