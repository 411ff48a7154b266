"""One module for each thing that a change may endanger; each yields ``Danger``s."""
