"""What runs inside build containers: fetch before the builder's assemble, push after it.

The standard library, `modelpipeline.errors`, and nothing else: these modules run with a distribution's Python in the
build image. Why a build is made of these three containers stands in docs/how-the-build-works.md.
"""
