"""The commands and their options; what a command does stands beside this folder."""
