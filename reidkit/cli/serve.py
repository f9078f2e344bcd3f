"""``reidkit serve``: a gallery over HTTP."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

from reidkit.cli.common import parser, split_overrides, take_weights
from reidkit.errors import UserError

EXAMPLES = """examples:
  python tools/serve.py people RUN --tokens tokens.txt           lines of NAME TOKEN
  REIDKIT_TOKENS="door TOKEN" python tools/serve.py people osnet_x0_25 weights=FILE --port 8080
  python tools/serve.py people RUN --no-tokens                   everybody on this machine
  python tools/serve.py people RUN --tokens FILE --host 0.0.0.0 --allow reid.example.org \\
      --certificate cert.pem --key key.pem
docs/service.md has the requests; /openapi.json describes them for programs."""
NEEDS = ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "limits")


def main(argv: list[str]) -> int:
    """Serve a gallery until interrupted."""
    overrides, rest = split_overrides(argv)
    args = _parser().parse_args(rest)
    others, weights = take_weights(overrides)
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"the service needs {', '.join(missing)}: python -m pip install 'reidkit[service]'"
        )
    from reidkit.service.limits import Limits
    from reidkit.service.serving import refuse_open
    from reidkit.service.tokens import Tokens

    tokens = Tokens.find(args.tokens)
    refuse_open(args.host, tokens, args.no_tokens)
    limits = Limits(args.bytes, args.pixels, args.crops, args.rate)
    if not 0 <= args.port < 65536:
        raise UserError(f"--port must be from 0 to 65535, got {args.port}")
    import reidkit
    from reidkit.gallery import Gallery
    from reidkit.service.app import LOCAL, application
    from reidkit.service.serving import serve

    model = reidkit.load(args.model, others, weights)
    gallery = Gallery(args.gallery, model, args.retention_days, database=args.database)
    app = application(gallery, tokens, limits, (*LOCAL, args.host, *args.allow))
    print(f"{gallery.folder}: {len(gallery)} images of {len(gallery.identities)} people")
    serve(
        app, args.host, args.port, args.certificate, args.key,
        lambda address: print(f"listening at {address}", flush=True),
    )  # fmt: skip
    return 0


def _parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    command = parser("reidkit serve", "A gallery over HTTP: enrol, search, erase.", EXAMPLES)
    option = command.add_argument
    option("gallery", type=Path, help="folder of the gallery; made if missing")
    option("model", help="run folder or network; weights=FILE, key=value")
    option("--tokens", type=Path, metavar="FILE", help="lines of NAME TOKEN; or REIDKIT_TOKENS")
    option("--no-tokens", action="store_true", help="whoever is on this machine may ask")
    option("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1)")
    option("--port", type=int, default=8000, help="0 for any that is free (default: 8000)")
    option("--allow", nargs="+", default=[], metavar="HOST", help="names it is asked under, too")
    option("--certificate", type=Path, help="PEM file, for TLS")
    option("--key", type=Path, help="PEM file of its key")
    option("--database", help="of Milvus: FILE.db or http://host:19530")
    option("--retention-days", type=float, help="of a new gallery")
    option("--bytes", type=int, default=32 << 20, help="of a request (default: 32 MB)")
    option("--pixels", type=int, default=16_000_000, help="of an image (default: 16 million)")
    option("--crops", type=int, default=64, help="images of a request (default: 64)")
    option("--rate", default="600/minute", help="requests of a token (default: 600/minute)")
    return command
