"""The demo shop: a seeded, vectorised simulator of everything in the raw contract.

The same arguments always write the same bytes. Random numbers come from NumPy generators that are
spawned per subject and per block (`config.Streams`), never from a hash, and array-wide `exp`, `log`
and `power` are avoided: NumPy picks their implementation by processor, and the last bit may differ.
"""
