"""Objects made of options. A task makes each of them once and hands it on."""
