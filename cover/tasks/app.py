"""Score videos in the browser, on this machine."""

import logging
from pathlib import Path

from cover.config.options.results import AppOptions
from cover.errors import UsageError
from cover.files import temporary_folder
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
    hosts = [host.strip() for host in options.hosts.split(",") if host.strip()]
    with temporary_folder() as folder:
        settings = Settings(folder, options.model, options.device, options.timeout, clips)
        page = build(settings)
        bounds = launch_options(settings, options.upload_mb, options.uploads_mb, hosts)
        launch = {"server_name": options.host, "server_port": options.port or None, **bounds}
        try:
            _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch)
        except OSError as error:
            raise UsageError(f"port={options.port}: cannot listen there; port=0 takes any that is free") from error
        show(where("app", address, " (Ctrl-C ends it)"))
        try:
            page.block_thread()
        finally:
            page.close(verbose=False)
    return 0
