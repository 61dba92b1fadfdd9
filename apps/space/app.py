"""The web app as a Hugging Face Space: the same code, on the demo model, with smaller uploads."""

from cover.apps.web import Settings, build, launch_options

if __name__ == "__main__":
    build(Settings(model="cover_lite", device="auto", timeout=30)).launch(
        server_name="0.0.0.0",  # noqa: S104 - a Space is reached from outside
        **launch_options(upload_mb=50),
    )
