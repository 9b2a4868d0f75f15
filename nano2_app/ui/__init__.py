"""The browser's face of the app, and its calls for `gradio_client`."""
