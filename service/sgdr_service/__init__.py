"""The REST service: rates, studies and sweeps over HTTP. `sgdr_service.app.create_app` makes the app."""
