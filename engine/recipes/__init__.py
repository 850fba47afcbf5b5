"""What a run is asked to do: settings, recipes, their validation and difference; no disk."""
