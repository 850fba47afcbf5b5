"""What a viewer of curves does without a screen: filters, axes, view state, figures, export."""
