"""From the trained seeds of a cell to what its statistics need: merged predictions, scores of images, a gallery."""
