"""The back: takes what may go, sends it, records what came of it. Knows no producer."""
