"""How the page looks: NVIDIA green on neutral greys, with the fonts of the system."""

import gradio as gr
from gradio.themes.utils.colors import Color

# NVIDIA's green is 500; white text needs 700 or darker to be readable on it.
_GREEN = Color(
    name="nvidia",
    c50="#f4fae8",
    c100="#e5f4c8",
    c200="#cdea96",
    c300="#b0dc5a",
    c400="#92cb27",
    c500="#76b900",
    c600="#5e9400",
    c700="#497300",
    c800="#385800",
    c900="#2a4200",
    c950="#172500",
)


def build_theme() -> gr.themes.Base:
    """Build the theme; it loads nothing from the network."""
    return gr.themes.Base(
        primary_hue=_GREEN,
        secondary_hue=_GREEN,
        neutral_hue="zinc",
        radius_size="md",
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Consolas", "DejaVu Sans Mono", "monospace"],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_400",
        input_background_fill="white",
        input_border_width="1px",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_500",
        button_secondary_background_fill="white",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_cancel_background_fill="white",
        button_cancel_background_fill_dark="*neutral_800",
        button_cancel_text_color="#b42318",
        button_cancel_text_color_dark="#ff9a8f",
        button_cancel_border_color="*neutral_300",
        button_cancel_border_color_dark="*neutral_700",
        button_border_width="1px",
        button_large_text_weight="600",
        button_large_text_size="*text_md",
        block_label_text_weight="500",
        button_primary_background_fill="*primary_500",
        button_primary_background_fill_hover="*primary_400",
        button_primary_background_fill_dark="*primary_500",
        button_primary_background_fill_hover_dark="*primary_400",
        button_primary_text_color="*primary_950",
        button_primary_text_color_dark="*primary_950",
        slider_color="*primary_500",
        slider_color_dark="*primary_500",
        checkbox_background_color_selected="*primary_600",
        checkbox_background_color_selected_dark="*primary_600",
    )
