"""What holds a row made back before a person or a training run sees it."""
