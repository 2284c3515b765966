"""The settings file and environment, checked once, frozen."""

from webhookctl.config.action_settings import ActionsSettings, HandlerSettings, RetrySettings
from webhookctl.config.alarm_settings import AlarmSettings
from webhookctl.config.demo import demo_settings, make_demo, new_key, refuse_public, write_new
from webhookctl.config.place_settings import QuarantineSettings, ServeSettings, StoreSettings, admin_token
from webhookctl.config.reading import load
from webhookctl.config.settings import Settings
from webhookctl.config.supplier_settings import SupplierSettings
from webhookctl.config.units import Address
from webhookctl.secrets import SecretRef, SecretSource
from webhookctl.settings_file import FILE_NAME, SYSTEM_FILE, find

__all__ = [
    "FILE_NAME",
    "SYSTEM_FILE",
    "ActionsSettings",
    "Address",
    "AlarmSettings",
    "HandlerSettings",
    "QuarantineSettings",
    "RetrySettings",
    "SecretRef",
    "SecretSource",
    "ServeSettings",
    "Settings",
    "StoreSettings",
    "SupplierSettings",
    "admin_token",
    "demo_settings",
    "find",
    "load",
    "make_demo",
    "new_key",
    "refuse_public",
    "write_new",
]
