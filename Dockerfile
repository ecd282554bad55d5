# One image for every part of the department; docker-compose.yml names the command of each.
# The installation is that of a checkout: `make install`, with the same locks and checks.
FROM python:3.13-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/openpacs
# What changes rarely first, so that a change of code keeps the layers below it.
COPY Makefile package.json package-lock.json .npmrc requirements.lock requirements-node.lock ./
COPY openpacs/install.py openpacs/
RUN python3 -I openpacs/install.py --packages
COPY . .
RUN make install && rm -rf node_modules build/node build/home build/install.log

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/openpacs --create-home openpacs
WORKDIR /srv/openpacs
COPY --from=build /srv/openpacs /srv/openpacs
ENV PATH=/srv/openpacs/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=openpacs.settings \
    OPENPACS_HOME=/var/lib/openpacs \
    OPENPACS_BIND=0.0.0.0
USER openpacs
VOLUME /var/lib/openpacs
EXPOSE 8000 8001 11112 2762 2575
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["python", "-m", "openpacs.health"]
# Alone, the image is the whole department, as `make run` is.
CMD ["python", "-m", "openpacs.supervisor"]
