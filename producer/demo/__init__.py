"""`volley demo`: a real list through all of Volley, against a local carrier, on one machine."""
