# Copyright 2026 The audiosynth authors. Licensed under the Apache License, Version 2.0.
# The book in a container; its command trains the digit model for about five minutes:
#   docker build -t audiosynth .
#   docker run --rm -v "$PWD/demo:/audiosynth/demo" audiosynth
# Then open demo/index.html. Every other target works too: docker run --rm audiosynth make test
FROM python:3.12-slim-bookworm

RUN apt-get update \
 && apt-get install -y --no-install-recommends build-essential make \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /audiosynth
COPY . .
RUN PIP_NO_CACHE_DIR=1 make .venv/ready
CMD ["make", "demo"]
