"""Leadglass: a medical image archive that cannot be left open by mistake, and an auditor of those that are."""

__version__ = "0.1.0"
