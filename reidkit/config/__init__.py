"""Configs: found, merged, overridden, checked as a whole, and written back as Python."""

from reidkit.config.check import check_config, prepare, prepare_config, read_run_config
from reidkit.config.files import config_names, config_path
from reidkit.config.load import Resolved, load_config, resolve, with_keys
from reidkit.config.origins import origins_of_run
from reidkit.config.problems import ConfigError, Problem, problems_text
from reidkit.config.saved import render
from reidkit.config.settings import resolve_settings
from reidkit.config.stages import stage_configs

__all__ = [
    "ConfigError",
    "Problem",
    "Resolved",
    "check_config",
    "config_names",
    "config_path",
    "load_config",
    "origins_of_run",
    "prepare",
    "prepare_config",
    "problems_text",
    "read_run_config",
    "render",
    "resolve",
    "resolve_settings",
    "stage_configs",
    "with_keys",
]
