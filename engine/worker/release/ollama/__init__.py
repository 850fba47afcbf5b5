"""Ollama's Modelfile and its language of templates."""
