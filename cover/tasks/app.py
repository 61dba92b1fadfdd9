"""Score videos in the browser, on this machine."""

import logging
from pathlib import Path

from cover.config.options.results import AppOptions
from cover.errors import UsageError
from cover.reporting.terminal import show, where

_LOCAL = {"127.0.0.1", "localhost", "::1"}

log = logging.getLogger(__name__)


def app(options: AppOptions) -> int:
    """Serve the app until it is interrupted.

    Raises:
        UsageError: Gradio is not installed, or the address is taken.
    """
    try:
        from cover.apps.web import Settings, build, launch_options
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise UsageError("app: needs Gradio: pip install 'cover-vqa[app]'") from error
    from cover.config.build.instantiate import instantiate

    if options.host not in _LOCAL:
        log.warning("host=%s: whoever reaches this address can use the app; it asks for no password", options.host)
    demo = instantiate({"_target_": "cover.datasets.generated.demo.Demo", "folder": "outputs/demo/clips"}, "demo")
    clips = [Path(row.path).absolute() for row in demo]
    page = build(Settings(options.model, options.device, options.timeout, clips))
    launch = {"server_name": options.host, "server_port": options.port or None, **launch_options(options.upload_mb)}
    try:
        _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch)
    except OSError as error:
        raise UsageError(f"port={options.port}: cannot listen there; port=0 takes any that is free") from error
    show(where("app", address, " (Ctrl-C ends it)"))
    page.block_thread()
    return 0
