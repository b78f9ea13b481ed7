"""Copying: what mirror, export and import are made of, in steps on a source and a target.

Nothing is carried out but in `driving`, which takes a step to the face of a store or to a file.
What callers call stands in `convostore.mirroring` and `convostore.transfer`; no backend may be
known here.
"""
