# geochange in a container: `docker build --target cpu -t geochange .`, or `--target cuda` for GPUs.
# docker run --rm -v "$PWD:/data" geochange run before.tif after.tif --out changes.gpkg

FROM python:3.11.14-slim-bookworm AS base
ENV PATH=/opt/geochange/bin:$PATH PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# GDAL in the wheel of rasterio takes libexpat from the system.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends libexpat1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 geochange

FROM base AS source
WORKDIR /src
RUN python -m venv /opt/geochange
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY geochange ./geochange

# PyTorch's own index has builds without CUDA, which are a tenth of the size.
FROM source AS build-cpu
RUN pip install -c constraints.txt --extra-index-url https://download.pytorch.org/whl/cpu ".[parquet,stac,onnx]"

# The wheels of PyPI bring CUDA along; the machine brings its driver.
FROM source AS build-cuda
RUN pip install -c constraints.txt ".[parquet,stac,onnx]"

FROM base AS cuda
COPY --from=build-cuda /opt/geochange /opt/geochange
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /data
USER 1000:1000
ENTRYPOINT ["geochange"]
CMD ["--help"]

FROM base AS cpu
COPY --from=build-cpu /opt/geochange /opt/geochange
WORKDIR /data
USER 1000:1000
ENTRYPOINT ["geochange"]
CMD ["--help"]
