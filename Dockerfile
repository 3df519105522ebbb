# Two images from one file; docs/images.md tells what is in them.
#   operator  the operator itself: Python, its libraries, no shell
#   build     fetch and push of a build pod: git, ssh, crane, buildah, a static busybox, the step room (no library)
# BASE is any Debian-like image with Python 3.11 or newer and pip; RUNTIME one with the same Python and glibc.
#   docker build --target operator -t modelpipeline/operator:dev .
# crane must lie in the context, as ./crane, for the second (any machine with Go has it after
#   GOBIN=$PWD CGO_ENABLED=0 go install github.com/google/go-containerregistry/cmd/crane@v0.20.6):
#   docker build --target build -t modelpipeline/build:dev .
ARG BASE=python:3.11-slim-bookworm
ARG RUNTIME=gcr.io/distroless/python3-debian12:nonroot

FROM ${BASE} AS libraries
COPY hack/images/inside/libraries.py requirements/operator.txt /tmp/
RUN ["python3", "/tmp/libraries.py", "/tmp/operator.txt", "/opt/modelpipeline/libraries"]

# What runs, runs in stages of its own: what an engine leaves in a container that ran something stays out of the image.
FROM ${RUNTIME} AS compiled
USER 0:0
COPY --from=libraries /opt/modelpipeline /opt/modelpipeline
ENV PYTHONPATH=/opt/modelpipeline/operator:/opt/modelpipeline/libraries PYTHONHASHSEED=0 \
    PYTHONPYCACHEPREFIX=/opt/modelpipeline/compiled PYTHONDONTWRITEBYTECODE=1
COPY hack/images/inside/bytecode.py /opt/modelpipeline/inside/
RUN ["python3", "/opt/modelpipeline/inside/bytecode.py", "/opt/modelpipeline/libraries"]

FROM compiled AS tried
ARG VERSION=0.1.0
COPY hack/images/inside/trial.py /opt/modelpipeline/inside/
COPY operator/modelpipeline /opt/modelpipeline/operator/modelpipeline
RUN ["python3", "/opt/modelpipeline/inside/trial.py", "/opt/modelpipeline/operator"]

FROM ${RUNTIME} AS operator
ARG VERSION=0.1.0
ARG REVISION=
ARG SOURCE=https://modelpipeline.dev
LABEL org.opencontainers.image.title="ModelPipeline operator" \
      org.opencontainers.image.description="Trains a model, builds its server's image in the cluster and deploys it" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The libraries first: their layer stays the same from version to version.
COPY --from=compiled /opt/modelpipeline/libraries /opt/modelpipeline/libraries
COPY --from=compiled /opt/modelpipeline/compiled /opt/modelpipeline/compiled
COPY --from=tried /opt/modelpipeline/operator /opt/modelpipeline/operator
COPY --from=tried /opt/modelpipeline/compiled/opt/modelpipeline/operator /opt/modelpipeline/compiled/opt/modelpipeline/operator
ENV PYTHONPATH=/opt/modelpipeline/operator:/opt/modelpipeline/libraries PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 \
    PYTHONPYCACHEPREFIX=/opt/modelpipeline/compiled PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /
ENTRYPOINT ["python3", "-m", "modelpipeline"]
CMD ["run"]

FROM ${BASE} AS build
# Nothing here changes its user on the way, so no file keeps the right to.
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends buildah busybox-static ca-certificates git openssh-client \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig/* /var/log/* \
 && install -D -m 0755 /bin/busybox /usr/local/lib/modelpipeline/busybox \
 && useradd --uid 1000 --user-group --no-create-home --home-dir /modelpipeline/private --shell /bin/sh step \
 && find /usr -xdev -type f -perm /6000 -exec chmod a-s {} +
COPY crane /usr/local/bin/crane
COPY operator/modelpipeline/__init__.py operator/modelpipeline/errors.py /opt/modelpipeline/modelpipeline/
COPY operator/modelpipeline/step /opt/modelpipeline/modelpipeline/step
ARG VERSION=0.1.0
ARG REVISION=
ARG SOURCE=https://modelpipeline.dev
LABEL org.opencontainers.image.title="ModelPipeline build" \
      org.opencontainers.image.description="Fetches sources and pushes layers in ModelPipeline's build pods" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PYTHONPATH=/opt/modelpipeline PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 1000:1000
ENTRYPOINT ["python3", "-m", "modelpipeline.step"]
