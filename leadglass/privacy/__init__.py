"""What is personal data: patterns of identifiers, shapes of values. Pure: it is handed values and keeps none."""
