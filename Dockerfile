# Two images from one file; docs/images.md tells what is in them.
#   operator  the operator itself: Python, its libraries, no shell
#   build     fetch and push of a build pod: git, ssh, crane, a static busybox, the step room (no library)
# BASE is any Debian-like image with Python 3.11 or newer and pip; RUNTIME one with the same Python and glibc.
#   docker build --target operator -t modelpipeline/operator:dev .
# crane must lie in the context, as ./crane, for the second (any machine with Go has it after
#   GOBIN=$PWD CGO_ENABLED=0 go install github.com/google/go-containerregistry/cmd/crane@v0.20.6):
#   docker build --target build -t modelpipeline/build:dev .
ARG BASE=python:3.11-slim-bookworm
ARG RUNTIME=gcr.io/distroless/python3-debian12:nonroot

FROM ${BASE} AS packages
ARG VERSION=0.1.0
COPY hack/images/inside/install.py requirements/operator.txt /tmp/
COPY operator/modelpipeline /opt/modelpipeline/modelpipeline
RUN PYTHONDONTWRITEBYTECODE=1 python3 /tmp/install.py /tmp/operator.txt /opt/modelpipeline "${VERSION}"

# Here and not in the final stage: what an engine leaves in a container that ran something stays out of the image.
FROM ${RUNTIME} AS compiled
COPY --from=packages /opt/modelpipeline /opt/modelpipeline
COPY hack/images/inside/compiled.py /tmp/
ENV PYTHONPATH=/opt/modelpipeline PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
USER 0:0
RUN ["python3", "/tmp/compiled.py", "/opt/modelpipeline"]

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
COPY --from=compiled /opt/modelpipeline /opt/modelpipeline
ENV PYTHONPATH=/opt/modelpipeline PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    PYTHONPYCACHEPREFIX=/opt/modelpipeline/compiled
USER 65532:65532
WORKDIR /
ENTRYPOINT ["python3", "-m", "modelpipeline"]
CMD ["run"]

FROM ${BASE} AS build
ARG VERSION=0.1.0
ARG REVISION=
ARG SOURCE=https://modelpipeline.dev
LABEL org.opencontainers.image.title="ModelPipeline build" \
      org.opencontainers.image.description="Fetches sources and pushes layers in ModelPipeline's build pods" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends busybox-static ca-certificates git openssh-client \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
 && install -D -m 0755 /bin/busybox /usr/local/lib/modelpipeline/busybox \
 && useradd --uid 1000 --user-group --no-create-home --home-dir /modelpipeline/private --shell /bin/sh step
COPY crane /usr/local/bin/crane
COPY operator/modelpipeline/__init__.py operator/modelpipeline/errors.py /opt/modelpipeline/modelpipeline/
COPY operator/modelpipeline/step /opt/modelpipeline/modelpipeline/step
ENV PYTHONPATH=/opt/modelpipeline PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 1000:1000
ENTRYPOINT ["python3", "-m", "modelpipeline.step"]
