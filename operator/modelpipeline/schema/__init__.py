"""From the pydantic models of api to the structural CRD, and the lint of the API."""
