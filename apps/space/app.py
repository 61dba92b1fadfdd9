"""The web app as a Hugging Face Space: the same code, on the demo model, with smaller uploads."""

from cover.apps.web import Settings, build, launch_options
from cover.files import temporary_folder

if __name__ == "__main__":
    with temporary_folder() as folder:
        settings = Settings(folder, model="cover_lite", device="auto", timeout=30)
        build(settings).launch(
            server_name="0.0.0.0",  # noqa: S104 - a Space is reached from outside
            **launch_options(settings, upload_mb=50, hosts=["*"]),
        )
