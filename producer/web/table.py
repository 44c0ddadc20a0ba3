"""All operations of the HTTP API. A room adds its own by a `ROUTES` of its own, and a line here."""

from producer.web import actions, callbacks, campaigns, changes, events, live, messages, pushes, reads, sending, sight
from producer.web.routes import Route

TABLE: tuple[Route, ...] = (
    *campaigns.ROUTES,
    *pushes.ROUTES,
    *messages.ROUTES,
    *reads.ROUTES,
    *changes.ROUTES,
    *sending.ROUTES,
    *sight.ROUTES,
    *live.ROUTES,
    *events.ROUTES,
    *actions.ROUTES,
    *callbacks.ROUTES,
)
