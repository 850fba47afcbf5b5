"""What leaves the box: the folder of an export, its model card, and the proof of both."""
