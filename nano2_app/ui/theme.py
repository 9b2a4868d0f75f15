"""The look: colours and fonts here, the rest in `assets/style.css`; nothing from a network."""

import gradio as gr

_GREEN = gr.themes.Color(
    name="nano-green",
    c50="#f4fae6",
    c100="#e5f3c4",
    c200="#cde78f",
    c300="#b0d856",
    c400="#93c62a",
    c500="#76b900",
    c600="#5c9100",
    c700="#476f00",
    c800="#3a5a00",
    c900="#2f4a05",
    c950="#192900",
)


def theme() -> gr.themes.Base:
    """Build the theme: NVIDIA green on neutral greys, fonts of the system."""
    sans = ["system-ui", "-apple-system", "Segoe UI", "Noto Sans", "Noto Sans CJK JP", "sans-serif"]
    mono = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]
    return gr.themes.Base(
        primary_hue=_GREEN,
        secondary_hue=_GREEN,
        neutral_hue=gr.themes.colors.zinc,
        radius_size=gr.themes.sizes.radius_lg,
        font=sans,
        font_mono=mono,
    ).set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_600",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        block_border_width="1px",
    )
