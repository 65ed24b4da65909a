"""Classification of series of measurements, and regression: a class or a number for each series."""
