"""The build tool: `python -m scripts STAGE`, one module a stage."""
