"""Configs: found, merged, overridden, checked as a whole, and written back as Python."""

from reidkit.config.check import check_config, prepare_config
from reidkit.config.files import config_names, config_path
from reidkit.config.load import load_config
from reidkit.config.problems import ConfigError, Problem, problems_text
from reidkit.config.render import render
from reidkit.config.settings import core_settings, resolve_settings

__all__ = [
    "ConfigError",
    "Problem",
    "check_config",
    "config_names",
    "config_path",
    "core_settings",
    "load_config",
    "prepare_config",
    "problems_text",
    "render",
    "resolve_settings",
]
