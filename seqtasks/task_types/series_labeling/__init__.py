"""Labels of the steps of series of measurements: a class, several labels, or numbers at each step."""
