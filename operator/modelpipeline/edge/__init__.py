"""The only room that imports kopf: watches in, keys out."""
