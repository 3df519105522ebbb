"""A stand-in for Seldon Core 1.17.1's operator: for tests and for machines where the real one cannot be had.

`desired` says what Seldon would make, `verdict` what it would claim, `standin` does both against a cluster, `wire`
talks to the API server. Nothing here serves predictions: the model's own container does.
"""
