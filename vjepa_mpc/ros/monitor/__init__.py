"""The node that watches how work goes, and names what goes otherwise than usual."""
