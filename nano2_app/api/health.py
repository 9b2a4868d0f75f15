"""Whether the app lives, and whether it takes questions: for whoever starts and restarts it."""

from starlette.requests import Request
from starlette.responses import JSONResponse

from nano2_app.engine.base import Engine


class Health:
    """Two answers about an engine's process; both are short, and neither waits for the model."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def alive(self, _request: Request) -> JSONResponse:
        """Answer as long as the process serves at all."""
        return JSONResponse({"status": "alive"})

    async def ready(self, _request: Request) -> JSONResponse:
        """Name the model that takes questions, or answer 503 if none does."""
        status = self._engine.status()
        if not status.ready:
            detail = "The engine takes no requests."
            return JSONResponse({"status": "not ready", "detail": detail}, status_code=503)
        return JSONResponse({"status": "ready", "model": status.model.name})
