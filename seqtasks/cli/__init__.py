"""The command line: arguments in, text out; imports Keras in functions only."""
