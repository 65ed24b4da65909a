"""Export of a trained model to files that other runtimes read, with a proof that they give the same outputs."""
