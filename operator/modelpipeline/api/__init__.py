"""The v1alpha1 models, conditions, reasons and names: words shared by all rooms, no behaviour."""
