"""The pages of documentation, whose scripts and styles the service brings along."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse

from sgdr_service import problems
from sgdr_service.root_path import address

STATIC = "/static-offline-docs"
router = APIRouter(include_in_schema=False)


def openapi(app: FastAPI) -> dict[str, Any]:
    """The document of the app, with the schema of problems, which no route has for its model."""
    document = FastAPI.openapi(app)
    document["components"]["schemas"].update(problems.schemas())
    return document


@router.get("/docs")
async def swagger(request: Request) -> HTMLResponse:
    """The page on which requests can be tried."""
    scope, app = request.scope, request.app
    return get_swagger_ui_html(
        openapi_url=address(scope, app.openapi_url),
        title=f"{app.title} - Swagger UI",
        swagger_js_url=address(scope, f"{STATIC}/swagger-ui-bundle.js"),
        swagger_css_url=address(scope, f"{STATIC}/swagger-ui.css"),
        swagger_favicon_url=address(scope, f"{STATIC}/favicon.png"),
    )


@router.get("/redoc")
async def redoc(request: Request) -> HTMLResponse:
    """The page to read."""
    scope, app = request.scope, request.app
    return get_redoc_html(
        openapi_url=address(scope, app.openapi_url),
        title=f"{app.title} - ReDoc",
        redoc_js_url=address(scope, f"{STATIC}/redoc.standalone.js"),
        redoc_favicon_url=address(scope, f"{STATIC}/favicon.png"),
        with_google_fonts=False,
    )
