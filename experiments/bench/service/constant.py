"""The service's app with two more routes, which show what a request costs without any schedule.

SGDR_PORT=8123 python -m experiments.bench.service.constant
"""

from __future__ import annotations

from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Query
from sgdr_service import logs
from sgdr_service.app import create_app
from sgdr_service.parameter_types import Factor, Floor, Length, Rate, Step
from sgdr_service.settings import read_settings

CONSTANT, EMPTY = "/bench/constant", "/bench/empty"
ANSWER = {
    "step": 37,
    "lr": 0.09264023194033986,
    "cycle": {"index": 2, "start": 30, "length": 40, "position": 7},
}
"""An answer of the shape of `GET /v1/lr`."""


def constant_app() -> FastAPI:
    """The service's app, settings and middleware, with the routes `CONSTANT` and `EMPTY`."""
    app = create_app(read_settings())

    @app.get(CONSTANT)
    async def constant(
        base_lr: Annotated[Rate, Query()],
        T_0: Annotated[Length, Query()],
        step: Annotated[Step, Query()],
        T_mult: Annotated[Factor, Query()] = 1,
        eta_min: Annotated[Floor, Query()] = 0.0,
    ) -> dict[str, Any]:
        """The parameters of `GET /v1/lr`, and always the same answer."""
        return ANSWER

    @app.get(EMPTY)
    async def empty() -> dict[str, Any]:
        """No parameters, and an empty answer."""
        return {}

    return app


def main() -> None:
    """Serves it as `sgdr serve` would."""
    settings = read_settings()
    logs.configure(settings.log_level)
    config = uvicorn.Config(
        constant_app(),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
    )
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main()
