"""The heavy side: torch, transformers, peft. Only ever a process of its own."""
