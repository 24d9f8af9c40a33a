"""The shapes that everything else is made of: a conditional distribution, a trace, a bound."""
