"""The screens under test; whoever takes a screen from here shows it cheaply."""

from tui.headless import be_cheap

be_cheap()
