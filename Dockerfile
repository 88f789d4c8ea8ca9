# An image to train and sweep in, as any user: docs/container.md has the commands, .dockerignore what stays out.
ARG BASE=debian:bookworm-slim
FROM ${BASE}

# wget is what Kubernetes' Ray operator asks with whether a node is well.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv wget \
    && apt-get clean && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /opt/pearl

# What pip is told of torch: this takes the wheel for the CPU, plain `torch` that of PyPI, which for Linux brings CUDA.
# A secret named `pip` may hold a pip.conf; it does not stay in the image.
ARG TORCH="--index-url https://download.pytorch.org/whl/cpu torch"
COPY constraints.txt ./
RUN --mount=type=secret,id=pip \
    PIP_CONFIG_FILE=/run/secrets/pip pip install --no-cache-dir -c constraints.txt $TORCH

# What the package needs comes before its source, so that a changed source does not install it all again.
ARG EXTRAS=sweep
COPY pyproject.toml README.md LICENSE ./
RUN --mount=type=secret,id=pip \
    mkdir rlkit envs && touch rlkit/__init__.py envs/__init__.py \
    && PIP_CONFIG_FILE=/run/secrets/pip pip install --no-cache-dir -c constraints.txt -e ".[$EXTRAS]"

# Whoever runs it may read the source and write results, mounted or not; `output` is the mounted folder as well.
COPY . .
RUN chmod -R a+rX . && python -m compileall -q rlkit envs \
    && mkdir -p /mounts/output && chmod 1777 /mounts/output && ln -s /mounts/output output

# No entry in /etc/passwd is needed: HOME and USER are what libraries ask for. COMMIT goes into each versions.json.
ARG COMMIT=
ENV HOME=/tmp USER=pearl PYTHONUNBUFFERED=1 PEARL_COMMIT=$COMMIT
USER 1000:1000
CMD ["python", "launch_experiment.py", "--help"]
