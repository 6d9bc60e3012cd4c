"""The screens: board, wizard, gate, emergency card, help, and the small dialogs."""
