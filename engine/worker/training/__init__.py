"""Training itself: steps, what is measured in their midst, what follows from that, what is kept."""
