# Two images from one file; BASE is any Debian-like image with Python 3.11 or newer and pip.
#   build     fetch and push of a build pod: git, ssh, crane, a static busybox, the step room (no library)
#   operator  the operator itself
# crane must lie in the context, as ./crane (any machine with Go has it after
#   GOBIN=$PWD CGO_ENABLED=0 go install github.com/google/go-containerregistry/cmd/crane@v0.20.6):
#   docker build --target build    -t modelpipeline/build:dev .
#   docker build --target operator -t modelpipeline/operator:dev .
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
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

FROM ${BASE} AS operator
ENV PIP_BREAK_SYSTEM_PACKAGES=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY requirements/operator.txt /tmp/operator.txt
RUN pip install --no-cache-dir --require-hashes -r /tmp/operator.txt && rm /tmp/operator.txt
COPY operator /opt/modelpipeline
ENV PYTHONPATH=/opt/modelpipeline
USER 65532:65532
ENTRYPOINT ["python3", "-m", "modelpipeline"]
CMD ["run"]
