"""The recipe of nano2-tiny, the embedded model: generated tasks, training, export, measurement."""
