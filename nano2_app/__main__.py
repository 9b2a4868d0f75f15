"""`python -m nano2_app`."""

from nano2_app.cli.main import app

if __name__ == "__main__":
    app(prog_name="nano2_app")
