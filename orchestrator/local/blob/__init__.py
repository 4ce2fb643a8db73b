"""The Blob endpoint: Azurite, the field's own emulator, brought to the machine and kept running."""
