"""Compare: answers of up to four arms to one prompt, side by side."""
