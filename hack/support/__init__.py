"""The support bundle: everything that helps to see what is wrong, in one file, and no secret in it."""
