"""Operations that each backend of Keras needs in a form of its own."""
