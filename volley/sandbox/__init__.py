"""A local Telnyx: the send endpoint, the lists and the delivery receipts, with faults on command and an honest log.

It shares no state with what it tests and is never what limits a measurement (docs/sandbox.md).
"""
