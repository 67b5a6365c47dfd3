"""The REST service: rates, studies and sweeps over HTTP. `service.app.create_app` makes the app."""
