"""What nano2-tiny learns: one module per kind of task."""
