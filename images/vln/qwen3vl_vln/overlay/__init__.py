"""What people see of a task: its newest image with the plan laid on the floor, and why the robot does what it does.

`course` and `projection` are geometry without a pixel, `text` and `draw` make pixels, `render` goes from JPEG to JPEG.
Known to the worker alone: robots are answered by a process that never decodes."""
