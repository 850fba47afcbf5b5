"""What is asked: suites, how they are named, read and asked, and what was trained on."""
