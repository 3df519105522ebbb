"""Writes what is generated: the CRD and the reference pages."""
