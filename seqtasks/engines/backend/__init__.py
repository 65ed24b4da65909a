"""Operations with a separate implementation for each backend of Keras."""
