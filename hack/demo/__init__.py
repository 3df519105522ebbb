"""``make demo``: the whole way once, on a real cluster, with something to look at.

Here: set-up of what the example needs (cluster, images, git server, operator), the live view, the question to the
served model. Not here: how a cluster comes up (hack/cluster), how images are made (hack/images).
"""
