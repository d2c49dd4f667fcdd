"""How the page looks beyond what viser offers: a large HOLD, and upload buttons that files can be dropped on."""

from __future__ import annotations

# viser gives neither a button's height nor drop zones. A marker of ours stands before what is to look otherwise.
HOLD_MARKER = "<span class='vjepa-hold'></span>"
DROP_MARKER = "<span class='vjepa-drop'></span>"
ROW_MARKER = "<span class='vjepa-row'></span>"  # the three buttons after it stand side by side
STYLE = """<style>
*:has(> .vjepa-hold) + * button, *:has(> * > .vjepa-hold) + * button {
  height: 5.2rem !important; font-size: 2.1rem !important; letter-spacing: .12em; font-weight: 800;
}
*:has(> .vjepa-row) + *, *:has(> .vjepa-row) + * + *, *:has(> .vjepa-row) + * + * + * {
  display: inline-block; width: 29.6%; margin-right: 0 !important;
}
*:has(> .vjepa-drop) + * input[type=file] {
  display: block !important; width: 100%; box-sizing: border-box; padding: 1.1em .8em; margin-bottom: .4em;
  border: 2px dashed #868e96; border-radius: 6px; font-size: .85em;
}
</style>"""
