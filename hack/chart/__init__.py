"""The chart's workshop: renders it, writes what is made of its values, has it judged."""
