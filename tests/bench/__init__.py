"""What we cost beside other ways to do the same, on the same service and the same machine: `make bench`."""
