"""The bundled model, its data and its pre-training run: files that `engine.bundled` names."""
