"""The patient process: decodes images, chooses key frames, asks the model and reads its
answers. Never talks to a robot."""
