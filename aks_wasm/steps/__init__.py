"""The single effects a plan is made of; each harmless when repeated."""
