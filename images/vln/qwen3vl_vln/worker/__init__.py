"""The patient process: decodes pictures, chooses key frames, asks the model and reads its
answers. Never talks to a robot."""
