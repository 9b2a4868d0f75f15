"""The plain HTTP addresses beside the page."""

from starlette.routing import BaseRoute, Route

from nano2_app.api.health import Health
from nano2_app.api.metrics import Metrics
from nano2_app.engine.base import Engine


def routes(engine: Engine) -> list[BaseRoute]:
    """Make the addresses that a server in front of this engine answers; they need no login."""
    health, metrics = Health(engine), Metrics(engine)
    return [
        Route("/healthz", health.alive, methods=["GET"]),
        Route("/readyz", health.ready, methods=["GET"]),
        Route("/metrics", metrics.expose, methods=["GET"]),
    ]
