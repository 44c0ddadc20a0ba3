"""What `volley doctor` looks at. A file a subject; each check is one function that answers a verdict and never raises."""
