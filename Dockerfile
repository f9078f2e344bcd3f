# docker build --target cpu -t reidkit:cpu .       docker run --rm -v "$PWD:/work" reidkit:cpu demo
# docker build --target cuda -t reidkit:cuda .     docker run --rm --gpus all reidkit:cuda doctor env
FROM python:3.12-slim AS build
WORKDIR /source
COPY . .
RUN python -m pip wheel --no-cache-dir --no-deps -w /wheels .

FROM python:3.12-slim AS base
COPY --from=build /wheels /wheels
RUN useradd --create-home --uid 1000 reidkit && mkdir /work && chown 1000 /work
WORKDIR /work
ENTRYPOINT ["reidkit"]
CMD ["--help"]

# torch for the processor first: the package index's own brings CUDA, three gigabytes of it
FROM base AS cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# the wheel says which versions fit each other
# hadolint ignore=DL3013
RUN python -m pip install --no-cache-dir --index-url "$TORCH_INDEX" "torch>=2.11,<2.16" \
    && wheel="$(ls /wheels/reidkit-*.whl)" \
    && python -m pip install --no-cache-dir "${wheel}[timm,export]"
USER 1000

# CUDA's libraries come with torch; the driver is the host's
FROM base AS cuda
# hadolint ignore=DL3013
RUN wheel="$(ls /wheels/reidkit-*.whl)" \
    && python -m pip install --no-cache-dir "${wheel}[timm,export]"
USER 1000
