"""Configuration: a typed schema, composition, and objects made of it. Below ``cover.tasks`` nothing sees it."""
