"""Recordings of tasks, read: what is in them, taken out of them, and understood again. Nothing here speaks to a server
or to a robot; the import contract says so too."""
