"""The stand-in gives a module's widget the space that Slicer's module panel gives it."""

from __future__ import annotations

from pathlib import Path

import pytest
from desktop_sample import run_desktop, write_liver_module

SENTENCE = "A sentence that needs more than one line where the panel is narrow, whatever the font. "


@pytest.fixture
def app():
    yield from run_desktop()


@pytest.fixture
def panel(app, tmp_path: Path):
    """The layout of a module's widget, in a panel of 400 px."""
    widget = app.open_module(write_liver_module(tmp_path))
    app.resize_window(1200, 700)
    app.set_panel_width(400)
    return widget.layout


def settle(app) -> None:
    for _ in range(8):
        app.process_events()


def section(panel, rows: int, sentences: int):
    """A closed section with rows of fields, and sentences in wrapped labels."""
    import ctk
    import qt

    button = ctk.ctkCollapsibleButton()
    button.text = "Section"
    form = qt.QFormLayout(button)
    for number in range(rows):
        form.addRow(f"Row {number}", qt.QLineEdit())
    for _ in range(sentences):
        label = qt.QLabel()
        label.wordWrap = True
        label.setText(SENTENCE * 3)
        form.addRow(label)
    button.collapsed = True
    panel.addWidget(button)
    return button


def test_size_hint_of_the_module_is_the_least_width_of_the_panel(app, panel):
    import qt

    settle(app)
    assert app.panel_width == 400
    button = qt.QPushButton("A title that is wider than the panel was before, which it now widens for all of them")
    panel.addWidget(button)
    settle(app)
    app.set_panel_width(400)
    assert app.panel_width > 500


@pytest.mark.parametrize("is_ignored", [False, True])
def test_wrapped_label_widens_the_panel_unless_its_width_is_ignored(app, panel, is_ignored):
    import qt

    label = qt.QLabel(SENTENCE * 4)
    label.wordWrap = True
    if is_ignored:
        label.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Preferred)
    panel.addWidget(label)
    settle(app)
    assert (app.panel_width == 400) is is_ignored


def test_rows_are_squeezed_in_a_section_that_is_opened_after_a_module_switch(app, panel):
    import qt

    sections = [section(panel, 6, 3) for _ in range(3)]
    for label in panel.parentWidget().findChildren(qt.QLabel):
        if label.wordWrap:
            policy = label.sizePolicy
            policy.setHorizontalPolicy(qt.QSizePolicy.Ignored)
            label.setSizePolicy(policy)
    faults = []
    for button in sections:
        app.leave_module()
        app.enter_module()
        button.collapsed = False
        settle(app)
        faults += app.cut_off()
    assert any("px high, needs" in fault for fault in faults)


def test_module_that_is_left_has_no_place_in_the_window(app, panel):
    widget = panel.parentWidget()
    app.leave_module()
    assert widget.parent() is None and not widget.visible
    app.enter_module()
    assert widget.visible


def test_what_a_user_cannot_read_is_named(app, panel):
    import qt

    assert app.cut_off() == []
    squeezed, cut = qt.QPushButton("Squeezed"), qt.QCheckBox("A text that is cut")
    for widget, name in ((squeezed, "squeezed"), (cut, "cut")):
        widget.objectName = name
        panel.addWidget(widget)
    squeezed.setFixedHeight(5)
    cut.setFixedWidth(30)
    settle(app)
    found = "\n".join(app.cut_off())
    assert "squeezed: 5 px high" in found and "cut: 30 px wide" in found


def test_closed_section_hides_its_widgets_and_keeps_what_is_hidden_hidden(app, panel):
    button = section(panel, 2, 1)
    rows = button.findChildren("QLineEdit")
    rows[0].setVisible(False)
    rows[1].setVisible(True)  # wanted, but only when the section is open
    settle(app)
    assert not rows[1].visible
    closed = button.height
    button.collapsed = False
    settle(app)
    assert rows[1].visible and not rows[0].visible and button.height > closed


def test_wheel_turns_a_list(app, panel):
    import qt

    combo = qt.QComboBox()
    combo.addItems(["one", "two", "three"])
    panel.addWidget(combo)
    settle(app)
    app.wheel(combo, -1)
    assert combo.currentIndex == 1
