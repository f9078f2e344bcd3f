"""Counts and times in Prometheus' text format, by prometheus-client."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import generate_latest as text_of

MEDIA_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Metrics:
    """Numbers of one application, which hold no name and no path of a person."""

    def __init__(self) -> None:
        own = self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("reidkit_requests", "Requests", labels, registry=own)
        self.seconds = Histogram(
            "reidkit_request_seconds", "Time of a request", ("route",), buckets=SECONDS,
            registry=own,
        )  # fmt: skip
        self.crops = Counter("reidkit_crops", "Images taken", ("work",), registry=own)
        self.answers = Counter("reidkit_answers", "Answers of searches", ("known",), registry=own)
        self.images = Gauge("reidkit_gallery_images", "Images enrolled", registry=own)
        self.people = Gauge("reidkit_gallery_people", "People enrolled", registry=own)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            method: of HTTP.
            route: the template of its path, or "other".
            status: of the reply.
            seconds: it took.
        """
        known = method if method in METHODS else "other"  # anybody may send any
        self.requests.labels(known, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All of it."""
        return text_of(self.registry)
